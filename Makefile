# What one does with a clone. Everything is installed into .venv; its bin/phenviz then runs.
#   make app    the dashboard          make test    everything that CI runs
#   make docs   the manual in site/    make bench   timings side by side with peers
#   make evaluation    all that depends on the model, measured anew: hours

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell grep '^torch==' constraints.txt)
APP_ARGS ?=
# data packs that lie beside the clone spare the tests the network
ifneq ($(wildcard ../shared/data/mirror),)
export PHENVIZ_MIRROR ?= $(abspath ../shared/data/mirror)
endif

EVALUATION_PACKS := blood16-atac blood16-rna ukbb-blood-finemap mpra-saturation

.PHONY: setup app test check fast-test slow-test published chromium bcftools fuzz bench evaluation docs notebooks clean

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is older than 3.11: install a newer one and name it, make PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "make: no virtual environment could be made: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

app: setup
	$(BIN)/phenviz serve $(APP_ARGS)

test: setup chromium bcftools check fast-test slow-test

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

# one thread a process: tests run side by side
fast-test slow-test: export OMP_NUM_THREADS = 1

fast-test: setup
	$(BIN)/python -m pytest -n 2 -m "not ui and not notebook"

slow-test: setup chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "ui or notebook" tests/ui tests/notebooks

chromium:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then :; \
	elif ! command -v apt-get >/dev/null; then \
	  echo "make: the browser tests need Chromium: install it so that 'chromium' runs" >&2; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -yq --no-install-recommends chromium; \
	elif sudo -n true 2>/dev/null; then \
	  sudo apt-get update -q && sudo apt-get install -yq --no-install-recommends chromium; \
	else echo "make: the browser tests need Chromium: sudo apt-get install chromium" >&2; exit 1; fi

# damaged files of every kind, many more than the tests read; SEED=1 for others
SEED ?= 0
fuzz: setup bcftools
	$(BIN)/python -m tests.fuzz --inputs 500 --seed $(SEED)

# the oracle for haplotypes and normalised variants; bgzip comes with tabix
bcftools:
	@if command -v bcftools >/dev/null && command -v bgzip >/dev/null; then :; \
	elif ! command -v apt-get >/dev/null; then \
	  echo "make: the tests of variants need bcftools and bgzip: install them so that they run" >&2; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -yq --no-install-recommends bcftools tabix; \
	elif sudo -n true 2>/dev/null; then \
	  sudo apt-get update -q && sudo apt-get install -yq --no-install-recommends bcftools tabix; \
	else echo "make: the tests of variants need bcftools: sudo apt-get install bcftools tabix" >&2; exit 1; fi

$(VENV)/installed-bench $(VENV)/installed-docs $(VENV)/installed-notebook: $(VENV)/installed-%: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@

# small random networks of the published models' own classes; AlphaGenome's is for Python 3.12 and newer
published:
	@test -x .venv-published/bin/python || $(PYTHON) -m venv .venv-published
	.venv-published/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH)
	.venv-published/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  -e '.[test,enformer,borzoi,flashzoi,alphagenome]'
	OMP_NUM_THREADS=1 .venv-published/bin/python -m pytest -n 0 \
	  tests/models/test_published_jobs.py tests/models/test_adapters.py tests/models/test_recompute.py \
	  tests/test_init.py

bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks

# goes on where it stopped; STEPS="mpra readout" does these alone, AGAIN=1 also what is done for these weights
STEPS ?=
evaluation: $(VENV)/installed-notebook chromium
	$(BIN)/phenviz data fetch $(EVALUATION_PACKS)
	$(BIN)/python -m evaluation $(STEPS) $(if $(AGAIN),--again) $(if $(EQTL),--eqtl $(EQTL)) \
	  $(if $(TRAINING),--training $(TRAINING))

docs: $(VENV)/installed-docs
	$(BIN)/mkdocs build --strict

notebooks: $(VENV)/installed-notebook
	$(BIN)/jupyter lab notebooks

clean:
	rm -rf $(VENV) site build dist *.egg-info

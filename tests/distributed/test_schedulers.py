"""What is asked of SLURM and of several GPUs, as text: no cluster is needed."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType

import pytest

from phenviz.data.project import read_project
from phenviz.distributed.schedulers import cuda_options, open_client, slurm_cluster
from phenviz.errors import JobError, ProjectError

SECTION = """dask-jobqueue:
  jobs: 8
  queue: long
  account: lab7
  cores: 4
  memory: 16GB
  walltime: "04:00:00"
  job_script_prologue: ["source ~/phenviz/bin/activate"]
"""


@pytest.fixture
def settings(toy_project, tmp_path):
    def read(section):
        lines = [line for line in toy_project.read_text().splitlines(keepends=True)]
        path = toy_project.with_name(f"{tmp_path.name}.yaml")
        path.write_text("".join(lines) + section)
        return read_project(path).jobqueue

    return read


@pytest.mark.filterwarnings("ignore")
def test_the_job_file_asks_for_what_the_project_says(settings):
    with slurm_cluster(settings(SECTION)) as cluster:
        lines = cluster.job_script().splitlines()
    assert lines[0].startswith("#!")
    wanted = ("-p long", "-A lab7", "-n 1", "--cpus-per-task=4", "--mem=15G", "-t 04:00:00")
    assert all(f"#SBATCH {option}" in lines for option in wanted), lines
    assert {"source ~/phenviz/bin/activate", "export OMP_NUM_THREADS=4"} <= set(lines)
    worker = next(line for line in lines if "distributed.cli.dask_worker" in line)
    # one process with one model; its shards come one after another
    assert "--nthreads 1" in worker and "--nworkers" not in worker


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("dask-jobqueue: 8\n", "'dask-jobqueue' is 8"),
        ("dask-jobqueue: {jobs: 0, cores: 1, memory: 1GB}\n", "asks for 0 jobs"),
        ("dask-jobqueue: {jobs: many}\n", "asks for 'many' jobs"),
    ],
)
def test_a_wrong_section_is_told_with_its_line(settings, section, told):
    with pytest.raises(ProjectError, match=rf"line \d+: .*{told}"):
        settings(section)


@pytest.mark.parametrize(
    ("settings", "told"), [({}, "lacks 'cores'"), ({"cores": 1, "memory": "1GB", "quue": "x"}, "refuses")]
)
@pytest.mark.filterwarnings("ignore")
def test_a_job_that_cannot_be_asked_for_is_told(settings, told):
    with pytest.raises(JobError, match=told):
        slurm_cluster(settings)


def test_each_gpu_has_one_process_and_one_shard_at_a_time(monkeypatch):
    asked = {}

    class FakeCluster:
        def __init__(self, **options):
            asked.update(options)
            raise OSError("no GPU here")

    module = ModuleType("dask_cuda")
    module.LocalCUDACluster = FakeCluster
    monkeypatch.setitem(sys.modules, "dask_cuda", module)
    with pytest.raises(JobError, match="no GPU here"), open_client("cuda"):
        pass
    assert asked == cuda_options() and asked["threads_per_worker"] == 1


def test_runs_beside_each_other_say_nothing_of_ports_and_are_seen_from_this_machine_alone():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with open_client("local:1") as one, open_client("local:1") as two:
            links = [client.cluster.dashboard_link for client in (one, two)]
    assert not [str(warning.message) for warning in told if "ort " in str(warning.message)]
    assert len(set(links)) == 2 and all("127.0.0.1" in link for link in links)


@pytest.mark.parametrize(("name", "missing"), [("cuda", "dask_cuda"), ("local", "distributed")])
def test_a_missing_library_is_named(monkeypatch, name, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(JobError, match="pip install"), open_client(name):
        pass

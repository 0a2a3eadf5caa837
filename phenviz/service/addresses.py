"""How the address of a page writes a run: method, locus, contexts, gene, steps, baseline and trait."""

from __future__ import annotations

from collections.abc import Sequence

from phenviz.errors import JobError
from phenviz.genome.locus import Locus

# how each choice of a form is passed on: the baseline's name, and how many of them
BASELINES = {"zero": ("zero", 1), "mean-shuffle": ("dinucleotide", 1), "10-shuffles": ("dinucleotide", 10)}
SHORT_METHODS = {"integrated-gradients": "IG", "saliency": "Saliency"}
_SEPARATOR = "~"


def write_address(
    method: str,
    locus: Locus,
    contexts: Sequence[str] = (),
    gene: str | None = None,
    n_steps: int | str = 32,
    baseline: str = "zero",
    trait: str = "",
) -> str:
    """Write a run into one value of a URL, which `split_address` reads back."""
    fields = (
        method,
        f"{locus.contig}:{locus.start + 1}-{locus.end}",
        ",".join(contexts),
        gene or "",
        str(n_steps),
        baseline,
        *([trait] if trait else []),
    )
    return _SEPARATOR.join(fields)


def split_address(text: str) -> tuple[str, Locus, tuple[str, ...], str | None, int | str, str, str]:
    """Return what `write_address` was given.

    Raises
    ------
    JobError
        If the text is no run.
    """
    fields = text.split(_SEPARATOR)
    # addresses that are older than the choice of a baseline lack it
    fields += ["zero"] if len(fields) == 5 else []
    fields += [""] if len(fields) == 6 else []
    if len(fields) != 7 or not (fields[4].isdigit() or fields[4] == "auto"):
        raise JobError(f"the address names a run that can't be read ({text[:80]!r}): run it again")
    method, locus, contexts, gene, steps, baseline, trait = fields
    n_steps = steps if steps == "auto" else int(steps)
    names = tuple(name for name in contexts.split(",") if name)
    return method, Locus.parse(locus), names, gene or None, n_steps, baseline, trait


def baseline_name(baseline: object, count: int) -> str | None:
    """Return the key of `BASELINES` for what is passed on; None for what is no choice of a form."""
    # an array can't be compared with a name
    known = BASELINES.items() if isinstance(baseline, str) else ()
    return next((name for name, how in known if how == (baseline, count)), None)


def target_words(contexts: Sequence[str], gene: str | None) -> str:
    """Say in what a run changes or explains: contexts, or a gene's expression in them."""
    what = contexts[0] if len(contexts) == 1 else f"{len(contexts)} contexts"
    return f"{gene + ' in ' if gene else ''}{what}"

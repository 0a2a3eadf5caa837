"""One computation that a user asks for: what the run panel builds, the service runs and the URL keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phenviz.errors import JobError
from phenviz.genome.locus import Locus

if TYPE_CHECKING:
    from phenviz.service import Job

METHODS = {
    "mutagenesis": "In-silico mutagenesis",
    "mutagenesis-coarse": "Mutagenesis, coarse to fine",
    "integrated-gradients": "Integrated gradients",
    "saliency": "Saliency",
}
STEPS = ("auto", "16", "32", "64", "128")
# how each choice is passed on: the baseline's name, and how many of them
BASELINES = {
    "zero": ("zero", 1),
    "mean-shuffle": ("dinucleotide", 1),
    "10-shuffles": ("dinucleotide", 10),
}
_SHORT = {
    "mutagenesis": "ISM",
    "mutagenesis-coarse": "ISM, coarse to fine",
    "integrated-gradients": "IG",
    "saliency": "Saliency",
}
_KINDS = {"mutagenesis": "mutagenesis", "mutagenesis-coarse": "mutagenesis_coarse"}
_SEPARATOR = "~"


def methods_for(*, global_backbone: bool) -> dict[str, str]:
    """Return the methods that make sense, and how they are called; the usual one first.

    Parameters
    ----------
    global_backbone
        Whether the sequence model sees its whole window at once, so that exact mutagenesis of all bases is
        rarely affordable. With a local one it is exact everywhere, and cheap.
    """
    coarse = "mutagenesis-coarse"
    others = {key: label for key, label in METHODS.items() if key != coarse}
    return {coarse: METHODS[coarse], **others} if global_backbone else others


@dataclass(frozen=True, slots=True)
class Request:
    """A method, its target and its window.

    Parameters
    ----------
    method
        A key of `METHODS`.
    locus
        Bases to explain.
    contexts
        Names of the contexts: those to score for mutagenesis, the one explained for an attribution.
    gene
        Name of the gene whose expression is the target; None when the target is activity over the window.
    n_steps
        Steps of the path of integrated gradients; ``"auto"`` for as many as the convergence delta asks for.
    baseline
        Where the path begins: a key of `BASELINES`.
    trait
        Name of the trait whose logit is the target: it depends on all genes and contexts.
    """

    method: str
    locus: Locus
    contexts: tuple[str, ...]
    gene: str | None = None
    n_steps: int | str = 32
    baseline: str = "zero"
    trait: str = ""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise JobError(f"method {self.method!r} is unknown: use one of {', '.join(METHODS)}")
        if self.baseline not in BASELINES:
            raise JobError(f"baseline {self.baseline!r} is unknown: use one of {', '.join(BASELINES)}")
        if self.trait and self.kind != "trait":
            raise JobError(
                "a trait isn't explained by changing single bases: choose integrated gradients or saliency"
            )
        if not self.contexts and not self.trait:
            raise JobError("no context is ticked: tick at least one in the list on the left")

    @property
    def kind(self) -> str:
        """Kind of the service's job."""
        return _KINDS.get(self.method, "trait" if self.trait else "attribute")

    def parameters(self) -> dict[str, Any]:
        """Return the keyword arguments of the service's job."""
        if self.kind == "mutagenesis":
            return {"locus": self.locus, "contexts": self.contexts, "gene": self.gene}
        if self.kind == "mutagenesis_coarse":
            return {"locus": self.locus, "context": self.contexts[0], "gene": self.gene}
        from phenviz.attribution import Target

        target = Target(trait=self.trait) if self.trait else Target(self.gene, self.contexts[0])
        parameters: dict[str, Any] = {"locus": self.locus, "target": target, "method": self.method}
        if self.method == "integrated-gradients":
            baseline, count = BASELINES[self.baseline]
            parameters |= {"n_steps": self.n_steps, "baseline": baseline, "n_baselines": count}
        return parameters

    @classmethod
    def of_job(cls, job: Job) -> Request | None:
        """Return what a job of the service was asked for; None for what no user asks for by hand."""
        params = job.params
        if job.kind == "mutagenesis":
            return cls("mutagenesis", params["locus"], params["contexts"], params["gene"])
        if job.kind == "mutagenesis_coarse":
            return cls("mutagenesis-coarse", params["locus"], (params["context"],), params["gene"])
        if job.kind == "trait" and params["baseline"] == "zero" and params["locus"] is not None:
            return cls(params["method"], params["locus"], (), None, params["n_steps"], trait=params["trait"])
        if job.kind == "attribute":
            target, begins = params["target"], (params["baseline"], params["n_baselines"])
            # an array is no choice of the form
            known = {how: name for name, how in BASELINES.items()}
            if isinstance(begins[0], str) and begins in known:
                contexts, steps = (target.context,), params["n_steps"]
                return cls(params["method"], params["locus"], contexts, target.gene, steps, known[begins])
        return None

    def title(self) -> str:
        """Return one line to read."""
        if self.trait:
            return f"{_SHORT[self.method]} · {self.trait}"
        what = self.contexts[0] if len(self.contexts) == 1 else f"{len(self.contexts)} contexts"
        return f"{_SHORT[self.method]} · {self.gene + ' in ' if self.gene else ''}{what}"

    def text(self) -> str:
        """Write the request into one URL value; `parse` reads it back."""
        fields = (
            self.method,
            f"{self.locus.contig}:{self.locus.start + 1}-{self.locus.end}",
            ",".join(self.contexts),
            self.gene or "",
            str(self.n_steps),
            self.baseline,
            *([self.trait] if self.trait else []),
        )
        return _SEPARATOR.join(fields)

    @classmethod
    def parse(cls, text: str) -> Request:
        """Read what `text` wrote.

        Raises
        ------
        JobError
            If the text is no request.
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
        return cls(method, Locus.parse(locus), names, gene or None, n_steps, baseline, trait)

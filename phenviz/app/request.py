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
    "integrated-gradients": "Integrated gradients",
    "saliency": "Saliency",
}
_SEPARATOR = "~"


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
        Steps of the path of integrated gradients.
    """

    method: str
    locus: Locus
    contexts: tuple[str, ...]
    gene: str | None = None
    n_steps: int = 32

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise JobError(f"method {self.method!r} is unknown: use one of {', '.join(METHODS)}")
        if not self.contexts:
            raise JobError("no context is ticked: tick at least one in the list on the left")

    @property
    def kind(self) -> str:
        """Kind of the service's job."""
        return "mutagenesis" if self.method == "mutagenesis" else "attribute"

    def parameters(self) -> dict[str, Any]:
        """Return the keyword arguments of the service's job."""
        if self.kind == "mutagenesis":
            return {"locus": self.locus, "contexts": self.contexts, "gene": self.gene}
        from phenviz.attribution import Target

        target = Target(gene=self.gene, context=self.contexts[0])
        parameters: dict[str, Any] = {"locus": self.locus, "target": target, "method": self.method}
        if self.method == "integrated-gradients":
            parameters["n_steps"] = self.n_steps
        return parameters

    @classmethod
    def of_job(cls, job: Job) -> Request | None:
        """Return what a job of the service was asked for; None for what no user asks for by hand."""
        params = job.params
        if job.kind == "mutagenesis":
            return cls("mutagenesis", params["locus"], params["contexts"], params["gene"])
        if job.kind == "attribute":
            target = params["target"]
            return cls(params["method"], params["locus"], (target.context,), target.gene, params["n_steps"])
        return None

    def title(self) -> str:
        """Return one line to read."""
        short = {"mutagenesis": "ISM", "integrated-gradients": "IG", "saliency": "Saliency"}[self.method]
        what = self.contexts[0] if len(self.contexts) == 1 else f"{len(self.contexts)} contexts"
        return f"{short} · {self.gene + ' in ' if self.gene else ''}{what}"

    def text(self) -> str:
        """Write the request into one URL value; `parse` reads it back."""
        fields = (
            self.method,
            f"{self.locus.contig}:{self.locus.start + 1}-{self.locus.end}",
            ",".join(self.contexts),
            self.gene or "",
            str(self.n_steps),
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
        if len(fields) != 5 or not fields[4].isdigit():
            raise JobError(f"the address names a run that can't be read ({text[:80]!r}): run it again")
        method, locus, contexts, gene, n_steps = fields
        names = tuple(name for name in contexts.split(",") if name)
        return cls(method, Locus.parse(locus), names, gene or None, int(n_steps))

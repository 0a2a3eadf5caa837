"""One test of several kinds of evidence: their sums, each on the scale of its own null, added locus by locus.

For the parts k of the evidence with statistics T_kc (sums over loci) and standard deviations s_kc of their
draws, the statistic is

    S_c = sum_k T_kc / s_kc ,

and the same sum is taken in every draw of the null: a draw takes a locus, or one of its replicas, in all
parts at once. So parts may be correlated in any way, and p holds as exactly as that of one part does; s_kc
is taken over locus and replicas together, so that it doesn't tell one from the other. All parts count the
same: no weight was fitted to anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from phenviz.disease.engine import LocusSums
from phenviz.disease.inputs import Inputs, Side


class Part(Protocol):
    """Something that gives the sums of a trait's loci and of their replicas."""

    def prepare(self, inputs: Inputs, side: Side) -> Any:
        """Compute what all traits share."""

    def sums(self, inputs: Inputs, side: Side, prepared: Any, trait: str, name: str) -> LocusSums | None:
        """Sum one trait's loci; None where nothing of it can be tested."""


class LocusTest(Part, Protocol):
    """A test by matched loci: what `phenviz.disease.methods.run_matched` runs."""

    @property
    def kind(self) -> str:
        """``model`` or ``observed``: whose activity is matched."""

    @property
    def signed(self) -> bool:
        """Whether small values count as well."""

    def side(self, inputs: Inputs) -> Side:
        """Return the evidence that it reads."""


@dataclass(frozen=True)
class Combined:
    """A test of several parts in one.

    Parameters
    ----------
    parts
        The evidence; all of it on the model's replicas. A trait that the first part can't test isn't tested.
    """

    parts: tuple[Part, ...]
    kind: str = "model"
    signed: bool = False

    @property
    def reweighted(self) -> bool:
        """Whether a functional prior counts in any part."""
        return any(getattr(part, "reweighted", False) for part in self.parts)

    def side(self, inputs: Inputs) -> Side:
        """Return the evidence that it reads."""
        return inputs.model

    def prepare(self, inputs: Inputs, side: Side) -> list[Any]:
        """Compute what all traits share, part by part."""
        return [part.prepare(inputs, side) for part in self.parts]

    def sums(
        self, inputs: Inputs, side: Side, prepared: list[Any], trait: str, name: str
    ) -> LocusSums | None:
        """Sum one trait's loci; None where nothing of it can be tested."""
        found = [
            part.sums(inputs, side, ready, trait, name)
            for part, ready in zip(self.parts, prepared, strict=True)
        ]
        if found[0] is None:
            return None
        return combine([sums for sums in found if sums is not None])


def combine(parts: Sequence[LocusSums]) -> LocusSums:
    """Add several sums of the same loci and replicas, each divided by the standard deviation of its draws.

    Parameters
    ----------
    parts
        Of the same loci, with the same replicas, in the same contexts; a part that is the same in all draws
        counts for nothing.

    Returns
    -------
    LocusSums
        Scaled by the number of parts and the first one's weight, so that the effect is the mean of the parts'
        excesses in standard deviations of their null; with the weights of the first part.
    """
    weight = parts[0].weight
    observed, null = np.zeros_like(parts[0].observed), np.zeros_like(parts[0].null)
    for part in parts:
        # a locus without weight isn't tested, so it mustn't set the scale either
        draws = np.concatenate([part.null, part.observed[:, None]], axis=1)[weight > 0]
        sd = np.sqrt(draws.var(1).sum(0))
        largest = np.abs(draws).max(initial=0.0)
        scale = np.where(sd > 1e-9 * largest, weight.sum() / len(parts) / np.maximum(sd, 1e-300), 0.0)
        observed += scale * part.observed
        null += scale * part.null
    return LocusSums(observed, null, weight)

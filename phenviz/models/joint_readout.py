"""Several gene readouts of one backbone as one: expression in the contexts of all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from phenviz.errors import ModelError
from phenviz.genome.contexts import Context
from phenviz.models.readout import GeneReadout


class JointReadout(GeneReadout):
    """Gene readouts side by side, such as one of blood populations and one of tissues.

    It pools and predicts what each of them does, from one pass over the bins around a gene: wherever a
    `GeneReadout` is taken, this one can be given. Its reach is the longest; a readout that reaches less far
    takes nothing from the bins beyond its own reach.

    Parameters
    ----------
    members
        Readouts of the same backbone, whose contexts have different names.
    bin_size
        Bases per bin of that backbone.

    Raises
    ------
    ModelError
        If two predict for a context of the same name, or they belong to different backbones.
    """

    def __init__(self, members: Sequence[GeneReadout], bin_size: int) -> None:
        # what a readout learns lies in the members: nothing of its own is made
        nn.Module.__init__(self)
        self.bin_size = bin_size
        self.name = ", ".join(member.name for member in members)
        self.channels = members[0].channels
        self.reach = max(member.reach for member in members)
        self.backbone_hash = _one_backbone(members)
        self.contexts = _together(members)
        hashes = "\n".join(member.weights_hash for member in members)
        self.weights_hash = hashlib.sha256(hashes.encode()).hexdigest()
        self.units = " or ".join(dict.fromkeys(member.units for member in members))
        self._listed = nn.ModuleList(members)

    @property
    def members(self) -> tuple[GeneReadout, ...]:
        """The readouts, in the order given."""
        return tuple(member for member in self._listed if isinstance(member, GeneReadout))

    @property
    def n_terms(self) -> int:
        """Sums that expression is a function of: those of all members."""
        return sum(member.n_terms for member in self.members)

    @property
    def title(self) -> str:
        """Names of the members, each with the beginning of its weights hash."""
        return ", ".join(member.title for member in self.members)

    def config(self) -> dict[str, Any]:
        """Return what each member is, in their order."""
        return {"members": [{**member.config(), "sha256": member.weights_hash} for member in self.members]}

    def pooled_terms(self, embedding: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        """Return the terms of each member's sums, one member after the other, 0 beyond its reach."""
        found = []
        for member in self.members:
            terms = member.pooled_terms(embedding, distance)
            if member.reach < self.reach:
                # the centre of its last bin lies up to half a bin beyond the reach
                within = distance.abs() <= member.reach + self.bin_size / 2
                terms = terms * within.to(terms).unsqueeze(-2)
            found.append(terms)
        return torch.cat(found, dim=1)

    def from_pooled(self, sums: torch.Tensor) -> torch.Tensor:
        """Turn sums of `pooled_terms` into expression, one member after the other."""
        parts = sums.split([member.n_terms for member in self.members], dim=1)
        found = [member.from_pooled(part) for member, part in zip(self.members, parts, strict=True)]
        return torch.cat(found, dim=1)

    def covering(self, names: Sequence[str]) -> GeneReadout:
        """Return the member that predicts for all these contexts; all together where there is none."""
        for member in self.members:
            if set(names) <= {context.name for context in member.contexts}:
                return member
        return self


def _together(members: Sequence[GeneReadout]) -> tuple[Context, ...]:
    owner: dict[str, GeneReadout] = {}
    contexts = []
    for member in members:
        for context in member.contexts:
            if (other := owner.setdefault(context.name.casefold(), member)) is not member:
                raise ModelError(
                    f"the readouts {other.title} and {member.title} both predict for a context named "
                    f"{context.name!r}: rename it in the card of one of them, or give one readout only"
                )
            contexts.append(context if context.unit else replace(context, unit=member.units))
    return tuple(contexts)


def _one_backbone(members: Sequence[GeneReadout]) -> str | None:
    known = {member.backbone_hash for member in members} - {None}
    if len(known) > 1:
        raise ModelError(
            f"the readouts {', '.join(member.title for member in members)} were trained on different "
            "backbones: train them on the same one"
        )
    return next(iter(known), None)

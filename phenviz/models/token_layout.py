"""What gene tokens hold before there is a disease model: an untrained one that says so."""

from __future__ import annotations

from collections.abc import Sequence

from phenviz.errors import ModelError
from phenviz.genome.annotation import Gene
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.joint_readout import JointReadout
from phenviz.models.phenformer import GeneSite, Phenformer
from phenviz.models.readout import GeneReadout

WINDOW = 196_608


def token_layout(
    genes: Sequence[Gene | GeneSite],
    assembly: str,
    backbone: SequenceBackbone,
    readout: GeneReadout | None,
    *,
    window: int = WINDOW,
) -> Phenformer:
    """Make a smallest Phenformer for these genes; only what it says about its tokens means anything.

    Parameters
    ----------
    genes
        In the order of the tokens.
    assembly
        Of their coordinates.
    backbone, readout
        Models that the tokens come from; without a readout the expression is the activity near the TSS.
    window
        Bases of each gene's window, whole bins.

    Raises
    ------
    ModelError
        If there is no gene, or the window isn't a whole number of bins.
    """
    if not genes:
        raise ModelError("no gene to make a token of: name some, or give a locus with genes")
    if window <= 0 or window % backbone.bin_size:
        raise ModelError(f"a window of {window:,} bp is no whole number of bins of {backbone.bin_size} bp")
    named = readout.contexts if readout is not None else backbone.contexts
    layout = Phenformer(
        genes,
        ["any"],
        assembly=assembly,
        window=window,
        channels=channels_of(backbone, readout),
        expression=[context.name for context in named],
        expression_from="activity" if readout is None else "readout",
        width=4,
        layers=1,
        heads=1,
        feedforward=4,
        seeds=1,
        name="tokens",
    )
    layout.backbone_hash = backbone.weights_hash
    layout.readout_hash = None if readout is None else readout.weights_hash
    return layout.eval()


def readout_named(readout: GeneReadout | None, name: str | None) -> GeneReadout | None:
    """Return one of several readouts by its name; all together for None.

    Raises
    ------
    ModelError
        If none has this name.
    """
    if name is None or readout is None:
        if name is not None:
            raise ModelError(f"readout {name!r} was asked for, and the world has none: leave it out")
        return readout
    members = readout.members if isinstance(readout, JointReadout) else (readout,)
    for member in members:
        if member.name == name:
            return member
    raise ModelError(
        f"the world has no readout {name!r}: it has {', '.join(member.name for member in members)}"
    )


def channels_of(backbone: SequenceBackbone, readout: GeneReadout | None) -> int:
    """Return the number of channels of a backbone's embedding, as its readout knows it or as it comes out."""
    if readout is not None:
        return readout.channels
    import torch

    from phenviz.models.windows import placement

    device, dtype = placement(backbone)
    with torch.inference_mode():
        return int(backbone.encode(torch.zeros(1, 4, backbone.window, device=device, dtype=dtype)).shape[1])

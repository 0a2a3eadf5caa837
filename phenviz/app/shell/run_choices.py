"""What the form of a run offers: methods, and steps and baselines of integrated gradients."""

from __future__ import annotations

METHODS = {
    "mutagenesis": "In-silico mutagenesis",
    "mutagenesis-coarse": "Mutagenesis, coarse to fine",
    "integrated-gradients": "Integrated gradients",
    "saliency": "Saliency",
}
STEPS = ("auto", "16", "32", "64", "128")
# of `phenviz.service.addresses.BASELINES`, which a page needn't wait for: PyTorch comes with it
BASELINES = ("zero", "mean-shuffle", "10-shuffles")


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

"""Score the common variants that effects are ranked among, and say how large effects are in each context.

They are kept in the cache, where pages, commands and the other steps of the evaluation find them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.report import TABLES
from phenviz.effects import Background, world_background
from phenviz.world import open_world

_LEVELS = (0.01, 0.05, 0.5, 0.95, 0.99)


def spread(background: Background) -> pd.DataFrame:
    """Return for each context the quantiles of the effects of common variants."""
    values = np.quantile(background.effects, _LEVELS, axis=1).T
    return pd.DataFrame(values, columns=[f"{level:g}" for level in _LEVELS]).assign(
        context=list(background.contexts), variants=background.effects.shape[1]
    )[["context", "variants", *(f"{level:g}" for level in _LEVELS)]]


def main() -> None:
    """Score them, and write the table."""
    background = world_background(open_world())
    if background is None:
        print("this world has no individuals with common variants: no quantiles")
        return
    TABLES.mkdir(parents=True, exist_ok=True)
    spread(background).round(5).to_csv(TABLES / "quantiles.tsv", sep="\t", index=False)


if __name__ == "__main__":
    main()

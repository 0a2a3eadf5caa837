"""pysam without the warnings that the htslib inside it writes to stderr by itself."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def quiet_pysam() -> Any:
    """Import pysam and switch off htslib's own messages; what goes wrong is still raised.

    Returns
    -------
    module
        `pysam`.
    """
    import pysam

    pysam.set_verbosity(0)
    return pysam

"""cyvcf2 without the warnings that the htslib inside it writes to stderr by itself."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


@cache
def quiet_cyvcf2() -> Any:
    """Import cyvcf2 and switch off htslib's own messages; what goes wrong is still raised.

    Returns
    -------
    module
        `cyvcf2`.
    """
    import cyvcf2

    try:
        # cyvcf2 has no switch of its own; the function is htslib's, in the library that cyvcf2 carries
        ctypes.CDLL(cyvcf2.cyvcf2.__file__).hts_set_log_level(0)
    except (OSError, AttributeError):
        # a build that hides the function: the messages stay, nothing else changes
        pass
    return cyvcf2

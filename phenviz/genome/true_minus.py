"""The minus of numbers on screen."""

from __future__ import annotations

import math


def true_minus(number: str) -> str:
    """Write a number as screens show it, with a true minus: as wide as the plus, and never broken off.

    Axes have it anyway. Files keep the hyphen, which programs read.

    Examples
    --------
    >>> true_minus(f"{-0.25:+.3f}"), true_minus(f"{1e-5:.0e}")
    ('−0.250', '1e−05')
    """
    return number.replace("-", "\N{MINUS SIGN}")


def known_number(value: float, form: str = ".2g") -> str:
    """Write a number as screens show it, or that it isn't known."""
    return true_minus(format(value, form)) if math.isfinite(value) else "not known"

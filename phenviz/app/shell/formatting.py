"""Numbers and names as people read them; text from outside made safe for the page."""

from __future__ import annotations

import html


def escaped(text: object) -> str:
    """Return text that a browser shows as it is, whatever is in it."""
    return html.escape(str(text), quote=True)


def readable_seconds(seconds: float) -> str:
    """Write a duration: ``< 1 s``, ``12 s``, ``3 min``, ``1.5 h``."""
    if seconds < 1:
        return "< 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def readable_bytes(count: float) -> str:
    """Write a size: ``850 kB``, ``12 MB``, ``1.4 GB``."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.2g} {unit}" if count < 10 * size else f"{count / size:,.0f} {unit}"
    return f"{count:.0f} B"


def readable_share(share: float) -> str:
    """Write a share: ``48%``; small ones keep a decimal, so that a long run is seen to move."""
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"

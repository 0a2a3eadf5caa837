"""Where a view can go from here: zoom, move, and the way back."""

from __future__ import annotations

from phenviz.genome.locus import Locus

SMALLEST_VIEW = 20
_HISTORY_LENGTH = 200


def zoomed(locus: Locus, factor: float, contig_length: int) -> Locus:
    """Return the view ``factor`` times as long around the same centre, kept on the contig.

    Parameters
    ----------
    factor
        Below 1 zooms in, above 1 zooms out.
    """
    length = min(max(round(locus.length * factor), SMALLEST_VIEW), contig_length)
    return _placed(locus, locus.centre - length // 2, length, contig_length)


def moved(locus: Locus, fraction: float, contig_length: int) -> Locus:
    """Return the view shifted by a fraction of its length (negative: to the left), kept on the contig."""
    return _placed(locus, locus.start + round(fraction * locus.length), locus.length, contig_length)


def centred(locus: Locus, position: int, contig_length: int) -> Locus:
    """Return the view, as long as before, with a 0-based position in its middle."""
    return _placed(locus, position - locus.length // 2, locus.length, contig_length)


def framed(locus: Locus, contig_length: int, *, margin: float = 0.1, least: int = 200) -> Locus:
    """Return a view that shows a locus with some air on both sides."""
    length = min(max(round(locus.length * (1 + 2 * margin)), least), contig_length)
    return _placed(locus, locus.centre - length // 2, length, contig_length)


def _placed(locus: Locus, start: int, length: int, contig_length: int) -> Locus:
    start = min(max(start, 0), contig_length - length)
    return Locus(locus.contig, start, start + length)


class History:
    """Views of one session in the order they were visited.

    The browser's own Back button changes only the URL, so the dashboard keeps its own way back.
    """

    def __init__(self) -> None:
        self._visited: list[Locus] = []
        self._here = -1

    @property
    def can_go_back(self) -> bool:
        """Tell whether there is an earlier view."""
        return self._here > 0

    @property
    def can_go_forward(self) -> bool:
        """Tell whether there is a later view."""
        return self._here < len(self._visited) - 1

    def visit(self, locus: Locus) -> None:
        """Add a view after the present one; what had been ahead is forgotten."""
        if self._visited and self._visited[self._here] == locus:
            return
        self._visited = [*self._visited[: self._here + 1], locus][-_HISTORY_LENGTH:]
        self._here = len(self._visited) - 1

    def back(self) -> Locus:
        """Go to the view before this one (or stay at the first)."""
        self._here = max(self._here - 1, 0)
        return self._visited[self._here]

    def forward(self) -> Locus:
        """Go to the view after this one (or stay at the last)."""
        self._here = min(self._here + 1, len(self._visited) - 1)
        return self._visited[self._here]

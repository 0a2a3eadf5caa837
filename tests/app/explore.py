"""What the tests of the Explore page share."""

from __future__ import annotations

from phenviz.genome import Locus

SITE = Locus("20", 6_000, 6_200)


def finish(page, run) -> None:
    """Wait for a run, and let the page look at it."""
    assert run.job.wait(300)
    for _ in range(3):
        page.session._tick()

import pytest

from phenviz.app.shell.formatting import readable_share


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0%"), (0.0004, "0.0%"), (0.0312, "3.1%"), (0.0996, "10%"), (0.48, "48%"), (1, "100%")],
)
def test_small_shares_keep_a_decimal_so_that_a_long_run_is_seen_to_move(share, words):
    assert readable_share(share) == words

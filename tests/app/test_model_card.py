"""What the About page says of the model and of the data."""

from __future__ import annotations

from pathlib import Path

from phenviz.app.about.model_card import card_text, notices
from phenviz.world import open_world

ROOT = Path(__file__).parents[2]


def test_the_about_page_shows_the_written_card_of_the_embedded_model_and_whose_the_data_are():
    assert card_text(open_world()) == (ROOT / "docs" / "model_card.md").read_text(encoding="utf-8")
    assert (ROOT / "NOTICE").read_text(encoding="utf-8").strip() in notices()

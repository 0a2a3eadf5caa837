from __future__ import annotations

import pytest

from phenviz.errors import ResultError
from phenviz.figures.training import draw_training, training_figure


def line(run: str, epoch: int, loss: float, figures: dict[str, dict[str, float | None]]) -> dict:
    return {
        "run": run, "epoch": epoch, "epochs": 2, "signal": loss, "seconds": 1.5,
        "validation": {"any_summit": 0.8, "contexts": figures},
    }  # fmt: skip


LOG = [
    line("teacher-0", 0, 0.9, {"Ery": {"against_background": 0.6, "within_sites": None}}),
    line("teacher-0", 1, 0.5, {"Ery": {"against_background": 0.7, "within_sites": 0.55}}),
    line("student", 0, 0.4, {"Ery": {"against_background": 0.8}, "HepG2": {"pearson": 0.3}}),
]


def test_losses_and_every_contexts_figures_are_drawn_over_the_epochs(tmp_path):
    figure = training_figure(LOG).figure
    panels = {ax.get_title(loc="left"): ax for ax in figure.axes}
    assert list(panels) == [
        "loss of each epoch", "AUROC against background", "AUROC within all sites", "correlation of reporters"
    ]  # fmt: skip
    (loss,) = (one for one in panels["loss of each epoch"].lines if one.get_label() == "signal")
    assert loss.get_ydata().tolist() == [0.9, 0.5, 0.4]
    (ery,) = (one for one in panels["AUROC against background"].lines if one.get_gid() == "Ery")
    assert ery.get_ydata().tolist() == [0.6, 0.7, 0.8]
    draw_training(LOG, tmp_path / "training.svg")
    assert "teacher-0, student" in (tmp_path / "training.svg").read_text()


def test_a_log_without_lines_is_refused():
    with pytest.raises(ResultError, match="no line yet"):
        training_figure([])

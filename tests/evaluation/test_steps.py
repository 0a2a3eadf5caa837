from __future__ import annotations

import sys

import pytest

from evaluation.steps import BACKBONE, READOUTS, Step, Steps, all_steps, weights_of


def python(name: str, code: str, **how) -> Step:
    return Step(name, (sys.executable, "-c", code), **how)


@pytest.fixture
def made(tmp_path):
    """Make steps that write a line each time they are done; with other weights at will."""
    count = "open('count','a').write({!r})"

    def make(backbone="b", readouts="r", second="") -> Steps:
        steps = (
            python("first", count.format("1")),
            python("second", second or count.format("2"), of=(BACKBONE, READOUTS)),
            Step("third", ("never",), needs="--table"),
            python("last", count.format("4")),
        )
        return Steps(steps, {BACKBONE: backbone, READOUTS: readouts}, tmp_path / "log", tmp_path)

    return make


def counted(tmp_path) -> str:
    return (tmp_path / "count").read_text()


def test_what_is_done_for_these_weights_is_skipped_and_told(made, tmp_path, capsys):
    assert made().run(made().names)
    assert counted(tmp_path) == "124"
    assert made().run(made().names)
    assert counted(tmp_path) == "124"
    lines = (tmp_path / "log" / "evaluation.log").read_text().splitlines()
    assert any("first" in line and "done in 0 s" in line for line in lines)
    assert any("last" in line and "skipped: done on" in line for line in lines)
    assert any("third" in line and "left out: needs --table" in line for line in lines)
    assert capsys.readouterr().out.splitlines() == lines


def test_other_weights_do_again_what_depends_on_them_alone(made, tmp_path):
    made().run(made().names)
    made(readouts="new").run(made().names)
    assert counted(tmp_path) == "1242"
    made(backbone="new", readouts="new").run(made().names)
    assert counted(tmp_path) == "1242124"


def test_a_step_that_fails_is_told_with_its_reason_and_done_again_alone(made, tmp_path, capsys):
    broken = "import sys; print('beginning'); sys.exit('no such pack')"
    assert not made(second=broken).run(made().names)
    assert counted(tmp_path) == "14"
    said = capsys.readouterr().out
    assert "second       failed after" in said and "no such pack" in said and "failed: second;" in said
    assert (tmp_path / "log" / "second.log").read_text().splitlines() == ["beginning", "no such pack"]
    assert made().run(made().names)
    assert counted(tmp_path) == "142"


def test_a_step_is_done_again_on_request(made, tmp_path):
    made().run(["first"])
    made().run(["first"], again=True)
    assert counted(tmp_path) == "11"


def test_steps_that_were_interrupted_are_not_taken_as_done(made, tmp_path, monkeypatch):
    def interrupted(*_arguments, **_how):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("evaluation.steps.subprocess.call", interrupted)
        made().run(["first"])
    made().run(["first"])
    assert counted(tmp_path) == "1"


def test_a_damaged_memory_does_all_again(made, tmp_path):
    made().run(["first"])
    (tmp_path / "log" / "done.json").write_text("{")
    made().run(["first"])
    assert counted(tmp_path) == "11"


def test_every_module_that_measures_the_model_is_a_step(tmp_path):
    from pathlib import Path

    import evaluation

    folder = Path(evaluation.__file__).parent
    modules = [path for path in folder.glob("*.py") if path.stem != "__main__"]
    measuring = {path.stem for path in modules if "\ndef main(" in path.read_text()}
    # chance alone, without any model
    measuring -= {"risk_null", "risk_subtypes"}
    named = {step.command[2].removeprefix("evaluation.") for step in all_steps() if step.command[1] == "-m"}
    assert measuring == named
    assert set(weights_of()) == {BACKBONE, READOUTS}
    assert [step.name for step in all_steps(tmp_path / "t", tmp_path / "p") if step.needs] == []

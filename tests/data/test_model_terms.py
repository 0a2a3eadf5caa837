from __future__ import annotations

import json
import shutil

import pytest
import yaml
from click.testing import CliRunner

from phenviz.app.about.model_card import card_text, model_in_header
from phenviz.cli import main
from phenviz.data import manifests
from phenviz.data.manifests import sha256_of
from phenviz.data.model_terms import require_training, terms_of_models
from phenviz.errors import DataError
from phenviz.world import open_world
from tests.toys import toy_project

TERMS = {
    "summary": "Non-commercial use only; no training of other models",
    "url": "https://example.org/terms",
    "commercial": False,
    "training": False,
}


@pytest.fixture
def project(tmp_path):
    return toy_project(tmp_path)


def _state(project, terms):
    card = project.with_name("toy.json")
    card.write_text(json.dumps({**json.loads(card.read_text()), "terms": terms}))


def test_a_model_without_terms_is_free(project):
    world = open_world(project)
    assert terms_of_models(world.project) == [] and "non-commercial" not in model_in_header(world)
    require_training(world.project)
    assert terms_of_models(open_world().project) == []


def test_the_header_and_the_card_say_that_a_model_is_not_for_commercial_use(project):
    _state(project, TERMS)
    world = open_world(project)
    assert model_in_header(world) == "tiny (non-commercial)"
    assert card_text(world).startswith("**Terms** of toy.safetensors: Non-commercial use only")


def test_weights_are_known_by_the_checksum_of_their_pack_wherever_they_lie(project, tmp_path, monkeypatch):
    folder, weights = tmp_path / "manifests", project.with_name("toy.safetensors")
    folder.mkdir()
    shutil.copy(manifests.MANIFEST_DIR / "embedded.yaml", folder)
    file = {
        "name": "gated.safetensors", "url": "https://example.org/x", "bytes": weights.stat().st_size,
        "sha256": sha256_of(weights),
    }  # fmt: skip
    entries = {"name": "gated", "title": "Gated", "description": "x", "terms": TERMS, "files": [file]}
    (folder / "gated.yaml").write_text(yaml.safe_dump(entries))
    monkeypatch.setattr(manifests, "MANIFEST_DIR", folder)
    manifests.list_packs.cache_clear()
    try:
        (_, terms), *more = terms_of_models(open_world(project).project)
        assert terms.summary == TERMS["summary"] and not more
    finally:
        manifests.list_packs.cache_clear()


def _of_kind(project, kind):
    lines = project.read_text().replace("checkpoint: toy.safetensors\n", "")
    project.write_text(lines + f"backbone: {{kind: {kind}, weights: toy.safetensors}}\n")


def test_weights_of_alphagenome_come_under_its_terms_whoever_they_are_from(project):
    _of_kind(project, "alphagenome")
    # not even a card that says otherwise frees what is converted or trained further
    _state(project, {"summary": "free", "url": "https://example.org"})
    world = open_world(project)
    assert model_in_header(world) == "alphagenome (non-commercial)"
    assert "alphagenome/model-terms" in card_text(world)
    with pytest.raises(DataError, match="terms that forbid to train other models"):
        require_training(world.project)


@pytest.mark.parametrize("kind", ["enformer", "borzoi", "flashzoi"])
def test_published_models_without_terms_are_free(project, kind):
    _of_kind(project, kind)
    world = open_world(project)
    assert model_in_header(world) == kind and terms_of_models(world.project) == []
    pack = manifests.find_pack(kind)
    assert f"licence of the published weights**: {pack.licence}" in card_text(world)
    assert pack.citation in card_text(world)


def test_the_pack_of_alphagenome_asks_for_its_terms(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CONFIG", str(tmp_path))
    done = CliRunner().invoke(main, ["data", "fetch", "alphagenome"])
    assert done.exit_code == 1 and "non-commercial" in done.output and "--accept-terms" in done.output


@pytest.mark.parametrize(
    "command",
    [
        ("train", "readout", "-o", "OUT.safetensors", "--counts", "x.tsv"),
        ("train", "personal", "-o", "OUT.safetensors", "--table", "x.tsv"),
        ("train", "backbone", "-o", "OUT.safetensors", "--from", "START"),
        ("cohort", "train", "FOLDER", "-o", "OUT"),
    ],
    ids=" ".join,
)
def test_no_model_is_trained_on_one_whose_terms_forbid_it(project, tmp_path, command):
    _state(project, TERMS)
    words = {"START": str(project.with_name("toy.safetensors")), "FOLDER": str(tmp_path)}
    arguments = [words.get(word, word.replace("OUT", str(tmp_path / "out"))) for word in command]
    done = CliRunner().invoke(main, [*arguments, "--world", str(project)])
    said = " ".join(done.output.split())
    assert done.exit_code == 1 and "terms that forbid to train other models" in said, said
    assert "https://example.org/terms" in said and not list(tmp_path.glob("out*"))


def test_terms_that_cannot_be_read_are_not_taken_for_none(project):
    _state(project, {"summary": "x", "licence": "y"})
    with pytest.raises(DataError, match="'terms' can't be read"):
        terms_of_models(open_world(project).project)

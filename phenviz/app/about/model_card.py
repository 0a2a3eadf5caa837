"""The model's name and card, and whose data it stands on; read without loading the model."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import phenviz

if TYPE_CHECKING:
    from phenviz.data.manifests import Terms
    from phenviz.world import World

_PACKAGE = Path(phenviz.__file__).resolve().parent
# a link to docs/model_card.md in a clone, a copy of it in a wheel
_EMBEDDED_CARD = _PACKAGE / "data" / "model_card.md"


def model_name(world: World) -> str:
    """Return the model's name, or what stands in for one."""
    card = _card(world)
    return str(card.get("architecture", {}).get("name") or card.get("name") or _named(world) or "none")


def model_in_header(world: World) -> str:
    """Return the model's name, and that it isn't for commercial use where its terms say so."""
    restricted = any(not terms.commercial for _, terms in _terms(world))
    return f"{model_name(world)} (non-commercial)" if restricted else model_name(world)


def card_text(world: World) -> str:
    """Return the model card as Markdown: the terms, then the written card, else the checkpoint's facts."""
    told = [f"**Terms** of {path.name}: {terms.summary}: <{terms.url}>" for path, terms in _terms(world)]
    return "\n\n".join([*told, _card_alone(world)])


def _terms(world: World) -> list[tuple[Path, Terms]]:
    from phenviz.data.model_terms import terms_of_models

    return terms_of_models(world.project)


def _card_alone(world: World) -> str:
    for path in _written_cards(world):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    card = _card(world)
    if name := _named(world):
        return _text_of_named(world, name)
    if not card:
        return "This world has no model."
    lines = [
        f"## {card.get('name', 'Model')}",
        "No written card came with this model. Its checkpoint says:",
        "",
    ]
    lines += [f"- **{key}**: {_short(value)}" for key, value in card.items()]
    return "\n".join(lines)


def notices() -> str:
    """Return sources and licences of the data in the package, as Markdown."""
    text = ""
    if (_PACKAGE.parent / "NOTICE").is_file():
        text = (_PACKAGE.parent / "NOTICE").read_text(encoding="utf-8")
    else:
        try:
            text = distribution("phenviz").read_text("licenses/NOTICE") or ""
        except PackageNotFoundError:
            pass
    return f"## Data and licences\n\n```text\n{text.strip()}\n```" if text else ""


def _named(world: World) -> str:
    """Return what a backbone that isn't PhenViz' own is called in the project; "" where there is none."""
    named = world.project.backbone
    if named is None:
        return ""
    name = str(named.facts.get("name") or named.class_name.rpartition(":")[2] or named.kind)
    return name if named.average is None else f"{name} ({named.average})"


def _text_of_named(world: World, name: str) -> str:
    named = world.project.backbone
    assert named is not None
    facts = {"class": named.class_name, "kind": named.kind, "weights": named.weights and named.weights.name}
    if named.average is not None:
        facts["activity"] = named.average.describe()
    shown = {**facts, **named.facts, "options": dict(named.options), **_published(named.kind)}
    where = world.project.path.name if world.project.path else "the project"
    lines = [f"## {name}", f"This model is named in `{where}`; no card came with it.", ""]
    return "\n".join([*lines, *(f"- **{key}**: {_short(value)}" for key, value in shown.items() if value)])


def _published(kind: str) -> dict[str, str]:
    """Return licence and citation of a published model's weights: those of its data pack."""
    from phenviz.data.manifests import list_packs

    pack = next((pack for pack in list_packs() if pack.name == kind), None)
    return {} if pack is None else {"licence of the published weights": pack.licence, "cite": pack.citation}


def _written_cards(world: World) -> list[Path]:
    checkpoint = world.project.checkpoint
    beside = [Path(checkpoint).parent / "model_card.md"] if checkpoint is not None else []
    return [*beside, _EMBEDDED_CARD] if world.name == "embedded" else beside


def _card(world: World) -> dict[str, Any]:
    checkpoint = world.project.checkpoint
    if checkpoint is None:
        return {}
    try:
        card = json.loads(Path(checkpoint).with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    return text if len(text) <= 300 else text[:300] + "…"

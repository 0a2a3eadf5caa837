"""Names, synonyms and ontology terms of traits and cell types, to search by."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from phenviz.data.packs import has_pack, require_pack
from phenviz.genome.contexts import Context


@dataclass(frozen=True, slots=True)
class Named:
    """Something that can be searched for.

    Parameters
    ----------
    kind
        ``trait`` or ``context``.
    key
        Its short name.
    label
        Its name to read.
    others
        Synonyms and ontology terms.
    """

    kind: str
    key: str
    label: str
    others: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Everything in one line, as the search box offers it."""
        words = dict.fromkeys((self.key, self.label, *self.others))
        return " · ".join(word for word in words if word)


# the pack that brings descriptions of its traits: more than could be listed here
_WITH_DESCRIPTIONS = "finemap-three-biobanks"
# names of the packs' traits -> label, synonyms, terms of the Experimental Factor Ontology
_TRAITS: dict[str, tuple[str, ...]] = {
    "BASO_COUNT": ("basophil count", "basophils", "EFO:0005090"),
    "EO_COUNT": ("eosinophil count", "eosinophils", "EFO:0004842"),
    "HCT": ("haematocrit", "hematocrit", "packed cell volume", "EFO:0004348"),
    "HGB": ("haemoglobin concentration", "hemoglobin", "EFO:0004509"),
    "LYMPH_COUNT": ("lymphocyte count", "lymphocytes", "EFO:0004587"),
    "MCH": ("mean corpuscular haemoglobin", "mean corpuscular hemoglobin", "EFO:0004527"),
    "MCHC": ("mean corpuscular haemoglobin concentration", "EFO:0004528"),
    "MCV": ("mean corpuscular volume", "red cell volume", "EFO:0004526"),
    "MEAN_RETIC_VOL": ("mean reticulocyte volume", "MRV", "EFO:0010701"),
    "MONO_COUNT": ("monocyte count", "monocytes", "EFO:0005091"),
    "MPV": ("mean platelet volume", "mean thrombocyte volume", "EFO:0004584"),
    "NEUTRO_COUNT": ("neutrophil count", "neutrophils", "EFO:0004833"),
    "PLT_COUNT": ("platelet count", "thrombocyte count", "EFO:0004309"),
    "RBC_COUNT": ("red blood cell count", "erythrocyte count", "EFO:0004305"),
    "RETIC_COUNT": ("reticulocyte count", "EFO:0007986"),
    "WBC_COUNT": ("white blood cell count", "leukocyte count", "EFO:0004308"),
}
# ontology term -> other names in use
_CONTEXTS: dict[str, tuple[str, ...]] = {
    "CL:0000037": ("haematopoietic stem cell", "hematopoietic stem cell"),
    "CL:0000837": ("multipotent progenitor",),
    "CL:0000936": ("lymphoid-primed multipotent progenitor", "early lymphoid progenitor"),
    "CL:0000051": ("common lymphoid progenitor",),
    "CL:0000557": ("granulocyte-monocyte progenitor",),
    "CL:0000556": ("megakaryocyte", "platelet precursor"),
    "CL:0000764": ("erythroid", "erythroblast", "red cell precursor"),
    "CL:0000576": ("monocyte", "CD14"),
    "CL:0000782": ("dendritic cell", "conventional dendritic cell"),
    "CL:0000784": ("plasmacytoid dendritic cell",),
    "CL:0000236": ("B lymphocyte",),
    "CL:0000624": ("T helper cell", "CD4 T lymphocyte"),
    "CL:0000625": ("cytotoxic T cell", "CD8 T lymphocyte"),
    "CL:0000623": ("natural killer cell",),
}


class Names:
    """Traits and contexts of a result, searched by any of their names.

    Parameters
    ----------
    traits
        Names as in the result.
    contexts
        Contexts of the result.
    source
        The data pack that the traits come from; "" for a table, whose short names may mean anything.
    """

    def __init__(self, traits: Iterable[str], contexts: Sequence[Context], source: str = "") -> None:
        self.all = [_trait(name, source) for name in traits] + [
            Named("context", c.name, c.label, (c.curie, c.group, *_CONTEXTS.get(c.curie, ())))
            for c in contexts
        ]

    @property
    def lines(self) -> list[str]:
        """What the search box completes to."""
        return [named.line for named in self.all]

    def find(self, text: str) -> Named | None:
        """Return what a text names: exactly, else what one of its names begins with, else holds."""
        wanted = text.strip().casefold()
        if not wanted:
            return None
        for fits in (
            lambda name: name == wanted,
            lambda name: name.startswith(wanted),
            lambda name: wanted in name,
        ):
            for named in self.all:
                if named.line.casefold() == wanted or any(map(fits, _words(named))):
                    return named
        return None

    def nearest(self, text: str) -> list[str]:
        """Return names that look like a text that isn't found."""
        known = {word: named for named in self.all for word in _words(named)}
        close = difflib.get_close_matches(text.strip().casefold(), list(known), n=4, cutoff=0.5)
        return list(dict.fromkeys(known[word].key for word in close))


def trait_label(name: str, source: str = "") -> str:
    """Return a trait's name to read, as the pack that it comes from has it; else the short one."""
    return _trait(name, source).label or name


def _trait(name: str, source: str) -> Named:
    if source == _WITH_DESCRIPTIONS and (described := _descriptions().get(name)):
        return Named("trait", name, described[0], (*described[1:], *_TRAITS.get(name, ())))
    facts = _TRAITS.get(name, ("",))
    return Named("trait", name, facts[0], facts[1:])


def _descriptions() -> dict[str, tuple[str, ...]]:
    """Read what the biobanks call each trait, and its domain; nothing where the pack isn't here."""
    return _read_descriptions() if has_pack(_WITH_DESCRIPTIONS) else {}


@cache
def _read_descriptions() -> dict[str, tuple[str, ...]]:
    table = pd.read_csv(
        require_pack(_WITH_DESCRIPTIONS, "trait_summary.txt"), sep="\t", dtype=str, keep_default_na=False
    )
    # the shortest says the least of how cases were found
    table = table.assign(length=table["description"].str.len()).sort_values("length", kind="stable")
    return {
        str(trait): (*dict.fromkeys(rows["description"]), *dict.fromkeys(rows["domain"]))
        for trait, rows in table.groupby("trait", sort=False)
    }


def _words(named: Named) -> list[str]:
    # an ontology term is also written with an underscore
    names = [named.key, named.label, *named.others]
    return [name.casefold() for name in (*names, *(n.replace(":", "_") for n in names if ":" in n)) if name]

"""Whose genome is looked at: individuals of the world, of a folder on the server, or of an uploaded VCF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import param
from panel.custom import JSComponent

from phenviz.app.widgets.parts import script

_SHOWN = 60


class PersonPicker(JSComponent):
    """Source, population, search and a list of names.

    Parameters
    ----------
    on_message
        Called with what the user chose: ``source`` or ``sample``.
    """

    sources = param.List(default=[], doc="Pairs of key and title.")
    source = param.String(default="")
    population = param.String(default="")
    populations = param.List(default=[], doc="Name and number of individuals of each.")
    search = param.String(default="")
    people = param.List(default=[], doc="Name and population of those that fit, the first few.")
    total = param.Integer(default=0, doc="How many fit.")
    chosen = param.String(default="")
    note = param.String(default="", doc="What is going on with the source, or went wrong.")
    failed = param.Boolean(default=False)

    _esm = script("widgets/rows.js", "individual/person_picker.js")

    def __init__(self, on_message: Callable[[dict[str, Any]], None], **params: Any) -> None:
        super().__init__(**params)
        self._on_message = on_message
        self._samples = pd.DataFrame({"sample": [], "population": [], "superpopulation": []})
        self.param.watch(lambda _event: self._list(), ["chosen"])

    def show_samples(self, samples: pd.DataFrame) -> None:
        """List other people: columns sample, population, superpopulation ("" where unknown)."""
        self._samples = samples
        counts = samples["population"].where(samples["population"] != "", samples["superpopulation"])
        sizes = counts[counts != ""].value_counts()
        self.populations = [[str(name), int(size)] for name, size in sorted(sizes.items())]
        self.population = self.population if self.population in set(sizes.index) else ""
        self._list()

    def _list(self) -> None:
        table = self._samples
        if self.population:
            table = table[
                (table["population"] == self.population) | (table["superpopulation"] == self.population)
            ]
        if self.search:
            table = table[table["sample"].str.contains(self.search, case=False, regex=False)]
        shown = table.head(_SHOWN)
        chosen = table[table["sample"] == self.chosen]
        if len(chosen) and self.chosen not in set(shown["sample"]):
            # who is looked at is in the list
            shown = pd.concat([chosen, shown.head(_SHOWN - 1)])
        origin = shown["population"].where(shown["population"] != "", shown["superpopulation"])
        people = [[str(name), str(where)] for name, where in zip(shown["sample"], origin, strict=True)]
        self.param.update(people=people, total=len(table))

    def _handle_msg(self, message: dict) -> None:
        if "search" in message:
            self.search = str(message["search"])[:60]
            self._list()
        elif "population" in message:
            self.population = str(message["population"])[:60]
            self._list()
        else:
            self._on_message(message)

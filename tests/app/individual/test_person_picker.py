"""The list of people on the left."""

from __future__ import annotations

import pandas as pd

from phenviz.app.individual.person_picker import PersonPicker


def test_who_is_looked_at_is_in_a_long_list_and_a_search_lists_what_fits():
    picker = PersonPicker(lambda message: None, chosen="P150")
    names = [f"P{number:03}" for number in range(200)]
    picker.show_samples(pd.DataFrame({"sample": names, "population": "", "superpopulation": ""}))
    assert [name for name, _ in picker.people] == ["P150", *names[:59]] and picker.total == 200
    picker.chosen = "P003"
    assert [name for name, _ in picker.people] == names[:60]
    picker.chosen = "P199"
    assert picker.people[0][0] == "P199" and len(picker.people) == 60
    picker._handle_msg({"search": "p01"})
    assert [name for name, _ in picker.people] == names[10:20] and picker.total == 10

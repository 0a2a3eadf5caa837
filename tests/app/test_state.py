from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest

from phenviz.app.shell.state import ExploreState, contexts_at_first
from phenviz.errors import JobError
from phenviz.genome import Context, Locus
from phenviz.service.addresses import BASELINES
from phenviz.service.explained import explain, request_at
from tests.toys import CONTEXTS

RUN = explain("integrated-gradients", Locus("20", 999, 2_000), ("Ery",), "ALPHA", 16)


def full_state() -> ExploreState:
    locus = Locus("20", 1_000, 2_000)
    return ExploreState(
        locus=locus, settled=locus, contexts=("Ery", "B"), focus="B", method="saliency", target="gene",
        gene="ALPHA", window="gene", flank=500, shown=RUN, theme="dark", activity_style="areas",
        hidden=("elements",),
    )  # fmt: skip


def test_an_address_brings_back_the_whole_state():
    state = full_state()
    address = urlencode(state.query(CONTEXTS), safe=",:~")
    again = ExploreState(contexts=tuple(context.name for context in CONTEXTS))
    assert again.take(dict(parse_qsl(address)), CONTEXTS) == []
    for name in state.param:
        if name not in ("name", "locus", "settled", "highlight"):
            assert getattr(again, name) == getattr(state, name), name


def test_an_address_leaves_out_what_is_as_by_default():
    locus = Locus("20", 0, 100)
    names = tuple(context.name for context in CONTEXTS)
    state = ExploreState(locus=locus, settled=locus, contexts=names)
    assert state.query(CONTEXTS) == {"locus": "chr20:1-100"}


def test_reporter_assays_are_not_ticked_at_first_and_an_address_tells_when_they_are():
    contexts = (*CONTEXTS, Context("HepG2", "reporter in HepG2", "", "reporter", "#715c6e", "RNA/DNA"))
    names = tuple(context.name for context in contexts)
    assert contexts_at_first(contexts) == names[:-1]
    assert contexts_at_first(contexts[-1:]) == ("HepG2",)
    locus = Locus("20", 0, 100)
    state = ExploreState(locus=locus, settled=locus, contexts=names[:-1])
    assert "contexts" not in state.query(contexts)
    state.contexts = names
    again = ExploreState()
    again.take(state.query(contexts), contexts)
    assert again.contexts == names


def test_no_ticked_context_survives_the_address():
    locus = Locus("20", 0, 100)
    state = ExploreState(locus=locus, settled=locus, contexts=())
    query = state.query(CONTEXTS)
    again = ExploreState(contexts=("Ery",))
    again.take(query, CONTEXTS)
    assert again.contexts == ()


@pytest.mark.parametrize(
    ("text", "ticked"),
    [("Bogus", ("Ery", "Mono", "B")), ("Bogus,Mono", ("Mono",)), ("", ())],
)
def test_unknown_contexts_are_left_out_and_all_are_ticked_where_no_known_one_is_left(text, ticked):
    state = ExploreState()
    state.take({"contexts": text}, CONTEXTS)
    assert state.contexts == ticked


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"contexts": "Ery,Nonsense"}, "Nonsense"),
        ({"method": "magic"}, "magic"),
        ({"flank": "-5"}, "flank"),
        ({"flank": "many"}, "flank"),
        ({"run": "what~is~this"}, "run"),
        ({"run": "mutagenesis~20:5-1~Ery~~32"}, "reversed"),
    ],
)
def test_a_mistyped_address_still_opens_and_says_what_was_wrong(query, word):
    state = ExploreState(contexts=("Ery",))
    problems = state.take(query, CONTEXTS)
    assert len(problems) == 1
    assert word in problems[0]


def test_a_request_survives_its_text():
    path = ("integrated-gradients", Locus("20", 0, 200), ("Ery",), None)
    paths = [explain(*path, steps, baseline) for steps in ("auto", 64) for baseline in BASELINES]
    for request in (RUN, explain("mutagenesis", Locus("20", 0, 200), ("Ery", "Mono")), *paths):
        assert request_at(request.address) == request


def test_an_address_without_a_baseline_means_the_one_without_bases():
    assert request_at(RUN.address.rsplit("~", 1)[0]) == RUN


def test_a_request_without_context_or_with_an_unknown_method_is_refused_in_words():
    with pytest.raises(JobError, match="no context is ticked"):
        explain("mutagenesis", Locus("20", 0, 10), ())
    with pytest.raises(JobError, match="'none' is unknown"):
        explain("integrated-gradients", Locus("20", 0, 10), ("Ery",), baseline="none")
    with pytest.raises(JobError, match="'magic' is unknown"):
        explain("magic", Locus("20", 0, 10), ("Ery",))


def test_a_request_turns_into_the_parameters_of_the_service():
    assert RUN.kind == "attribute"
    parameters = RUN.given()
    assert (parameters["target"].gene, parameters["target"].context) == ("ALPHA", "Ery")
    assert (parameters["method"], parameters["n_steps"]) == ("integrated-gradients", 16)
    assert (parameters["baseline"], parameters["n_baselines"]) == ("zero", 1)
    shuffled = explain("integrated-gradients", RUN.locus, ("Ery",), "ALPHA", "auto", "10-shuffles").given()
    assert (shuffled["baseline"], shuffled["n_baselines"]) == ("dinucleotide", 10)
    assert shuffled["n_steps"] == "auto"
    scan = explain("mutagenesis", Locus("20", 0, 200), ("Ery", "Mono"))
    assert scan.given() == {"locus": scan.locus, "contexts": ("Ery", "Mono"), "gene": None}


@pytest.mark.parametrize(("count", "groups"), [(100, 7), (101, 7), (7_611, 12), (500, 60)])
def test_of_a_model_with_thousands_of_contexts_the_first_of_each_group_are_shown(count, groups):
    contexts = tuple(
        Context(f"t{i}", f"track {i}", "", f"group {i % groups}", "#123456") for i in range(count)
    )
    shown = contexts_at_first(contexts)
    if count <= 100:
        assert shown == tuple(context.name for context in contexts)
        return
    assert len(shown) <= 40
    assert len({int(name[1:]) % groups for name in shown}) == min(groups, 40)
    assert list(shown) == sorted(shown, key=lambda name: int(name[1:]))
    # an address says nothing of what is shown anyway
    locus = Locus("20", 0, 100)
    assert "contexts" not in ExploreState(locus=locus, settled=locus, contexts=shown).query(contexts)

from dataclasses import replace

import numpy as np
import pytest

import phenviz
from phenviz.errors import ModelError
from phenviz.genome.contexts import Context
from phenviz.models.identity import model_identity
from phenviz.models.local import LocalBackbone
from phenviz.models.phenformer import GeneSite, Phenformer, Trait
from phenviz.models.readout import GeneReadout
from phenviz.service import ModelService
from tests.toys import toy_backbone, toy_project


def random_contexts(rng: np.random.Generator, count: int) -> tuple[Context, ...]:
    letters = list("AB +-/._|,;")
    return tuple(
        Context(*("".join(rng.choice(letters, rng.integers(1, 4))) for _ in range(4)), "#000000")
        for _ in range(count)
    )


def test_any_other_name_or_order_of_contexts_makes_another_model():
    rng, backbone = np.random.default_rng(0), toy_backbone()
    keys = {}
    for _ in range(500):
        backbone.contexts = random_contexts(rng, len(backbone.contexts))
        keys.setdefault(model_identity(backbone), set()).add(backbone.contexts)
    assert all(len(names) == 1 for names in keys.values())
    assert len(keys) == len(set().union(*keys.values()))


@pytest.mark.parametrize("field", ["name", "label", "curie", "group", "colour"])
def test_each_field_of_a_context_is_part_of_the_model(field):
    backbone = toy_backbone()
    readout = GeneReadout(8, backbone.contexts, reach=256, heads=1, values=2, name="toy")
    for model in (backbone, readout):
        before, (first, *others) = model_identity(model), model.contexts
        model.contexts = (replace(first, **{field: "another"}), *others)
        assert model_identity(model) != before


def test_swapped_traits_make_another_disease_model():
    genes, traits = [GeneSite("ALPHA", "ENSG1", "20", 6_000, "+")], [Trait("MCV"), Trait("HbA1c")]
    shape = {"assembly": "toy1", "window": 256, "channels": 4, "expression": ["A"], "reach": 128}
    first, second = (
        Phenformer(genes, order, expression_from="activity", **shape) for order in (traits, traits[::-1])
    )
    second.load_state_dict(first.state_dict())
    assert model_identity(first) != model_identity(second)


def test_a_card_with_swapped_contexts_gets_no_labels_from_the_store(tmp_path):
    project = toy_project(tmp_path)
    first, second = phenviz.open_world(project), phenviz.open_world(project)
    second.backbone.contexts = second.backbone.contexts[::-1]
    asked = {"locus": "20:1,001-1,300"}
    for kind in ("predict", "mutagenesis"):
        answers = []
        for world in (first, second):
            with ModelService(world, "cpu", store=tmp_path / "store") as service:
                answers.append(service.submit(kind, **asked).result(60))
        names = [answer["context"].values.tolist() for answer in answers]
        assert names[0] == names[1][::-1]
        variable = next(iter(answers[0].data_vars))
        np.testing.assert_array_equal(
            answers[0][variable].transpose(..., "context").values,
            answers[1][variable].transpose(..., "context").values,
        )


def test_two_contexts_of_one_name_are_refused():
    config = toy_backbone().config()
    config["contexts"][1]["name"] = config["contexts"][0]["name"]
    with pytest.raises(ModelError, match="two contexts of a model are named 'Ery'"):
        LocalBackbone.from_config(config)

"""The risk model in the package: of the embedded backbone, small, and open about whom it was trained on."""

from phenviz.data.embedded import RISK
from phenviz.disease.cohort import open_risk_model
from phenviz.disease.cohort.reference_people import METHODS
from phenviz.world import open_world

LARGEST = 3_000_000


def test_the_embedded_risk_model_belongs_to_the_embedded_backbone_and_readout():
    # after another backbone was embedded: python scripts/build_phenformer.py
    world = open_world()
    assert world.phenformer is not None and world.phenformer.backbone_hash == world.backbone.weights_hash
    assert world.phenformer.trait_index("MCV") >= 0


def test_the_embedded_risk_model_is_small_and_says_that_its_people_were_simulated():
    assert sum(path.stat().st_size for path in RISK.rglob("*") if path.is_file()) <= LARGEST
    model = open_risk_model(open_world())
    assert model.simulated and "simulated people" in model.trained_on
    assert open_world().phenformer.card["training"]["cohort"] == "simulated"
    assert "MCV" in model.traits and model.label("MCV") == "high mean corpuscular volume"


def test_the_embedded_risk_model_has_reference_people_and_measures_of_every_trait():
    model = open_risk_model(open_world())
    reference = model.reference
    assert reference is not None and {"AFR", "EUR", "EAS", "AMR"} == set(reference.ancestries)
    for trait in model.traits:
        assert 0 < model.card["traits"][trait]["published_variance"] < 0.05
        for table in (reference.scores, reference.metrics, reference.roc, reference.calibration):
            assert trait in set(table["trait"])
    assert reference.scores[list(METHODS)].notna().all().all()

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.effects import Background, predict_haplotypes, score_gene, score_variants
from phenviz.effects.personal import FACTS
from phenviz.effects.summed import sum_of_variants
from phenviz.errors import DataError, JobError, TargetError
from phenviz.genome import Locus, decode
from phenviz.models.readout import save_readout
from phenviz.service import KINDS, ModelService
from phenviz.world import open_world
from tests.attribution.oracles import toy_readout
from tests.effects.oracles import random_variants
from tests.effects.toys import write_people
from tests.toys import toy_project


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    project = toy_project(folder)
    save_readout(toy_readout(), folder / "readout.safetensors")
    # beyond the gap, so that nothing is asked for of which nothing is known
    write_people(folder / "people.vcf", open_world(project).reference, 3, count=120)
    with project.open("a") as text:
        text.write("individuals: [people.vcf]\nreadout: readout.safetensors\n")
    return open_world(project)


@pytest.fixture
def service(world, tmp_path):
    with ModelService(world, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as made:
        yield made


@pytest.fixture
def variants(world):
    return random_variants(np.random.default_rng(3), world.reference, 60)


def test_effects_come_in_the_order_asked_for_whatever_the_chunks(world, service, variants, monkeypatch):
    monkeypatch.setattr("phenviz.service.effects.VARIANTS_CHUNK", 7)
    found = service.variant_effects(variants, contexts=["B", "Ery"])
    direct = score_variants(variants, world.reference, world.backbone)
    assert found["id"].values.tolist() == variants["id"].tolist()
    assert found["context"].values.tolist() == ["Ery", "B"]
    np.testing.assert_allclose(
        found["effect"], direct["effect"].sel(context=["Ery", "B"]), rtol=1e-4, atol=2e-6
    )
    assert {name: found.attrs.get(name) for name in ("contig", "start", "end")} == {
        name: direct.attrs[name] for name in ("contig", "start", "end")
    }
    assert found["quantile"].min() >= -1 and found["quantile"].max() <= 1


def test_finished_chunks_are_never_computed_again(service, variants, monkeypatch):
    monkeypatch.setattr("phenviz.service.effects.VARIANTS_CHUNK", 7)
    service.variant_effects(variants)
    assert service.estimate("variant_effects", variants=variants, contexts=["B"]).stored == 1.0
    monkeypatch.setattr("phenviz.effects.score_variants", None)
    again = service.variant_effects(variants, contexts=["B"])
    assert again.sizes["variant"] == len(variants)


def test_what_was_finished_before_a_cancel_is_joined_in_the_tables_order(world, variants):
    kind = KINDS["variant_effects"]
    request = kind.of(world, variants=variants, quantiles=False)
    ordered = variants.iloc[np.lexsort((variants["position"], variants["contig"]))]
    parts = [
        score_variants(ordered.iloc[start : start + 10], world.reference, world.backbone) for start in (0, 10)
    ]
    joined = request.join(parts)
    first = variants.loc[sorted(ordered.index[:20])]
    assert joined["id"].values.tolist() == first["id"].tolist()


def test_effects_on_a_gene_are_those_of_its_expression(world, service, variants):
    found = service.variant_effects(variants, gene="alpha")
    gene = world.annotation.gene("ALPHA")
    direct = score_gene(variants, gene, world.readout, world.reference, world.backbone)
    np.testing.assert_allclose(found["effect"], direct["effect"], rtol=1e-4, atol=2e-6)
    assert "quantile" not in found and found.attrs["gene"] == "ALPHA"
    assert (found["effect"] == 0).any() and (found["effect"] != 0).any()


def test_variants_come_from_text_and_files_too(world, service, variants, tmp_path):
    row = variants[variants["contig"] == "20"].iloc[0]
    found = service.variant_effects(f"chr20:{row.position:,} {row.ref}>{row.alt}")
    assert found.sizes["variant"] == 1
    file = service.variant_effects(world.project.individuals[0])
    assert file.sizes["variant"] > 20
    with pytest.raises(DataError, match="as a variant"):
        service.variant_effects("no such thing")
    with pytest.raises(DataError, match="lacks the column"):
        service.variant_effects(pd.DataFrame({"contig": ["20"]}))
    with pytest.raises(TargetError):
        service.variant_effects(variants, contexts=["liver"])


def test_an_rsid_of_the_worlds_individuals_is_a_variant(service, variants, monkeypatch):
    row = variants[variants["contig"] == "20"].iloc[0]
    known = {"RS17": ("20", row.position - 1, row.ref, row.alt)}
    monkeypatch.setattr("phenviz.variation.rsids.find_rsid", lambda path, rsid: known.get(rsid))
    found = service.variant_effects("RS17")
    assert (found["position"].values.tolist(), found["id"].values.tolist()) == ([row.position], ["rs17"])
    with pytest.raises(DataError, match="doesn't know RS404"):
        service.variant_effects("RS404")


def test_an_empty_table_gives_an_empty_result(service, variants):
    assert service.variant_effects(variants.iloc[:0]).sizes["variant"] == 0


def test_a_background_without_variants_gives_no_quantiles(world, service, variants, monkeypatch):
    monkeypatch.setattr("phenviz.effects.world_background", lambda *args, **how: None)
    assert "quantile" not in service.variant_effects(variants.iloc[:5])
    empty = Background(("Ery",), np.zeros((1, 0), np.float32), "nothing")
    assert np.isnan(empty.quantile(np.zeros((2, 1)), ["Ery"])).all()


def test_a_persons_haplotypes_join_exactly_over_cells(world, service, monkeypatch):
    monkeypatch.setattr("phenviz.service.effects.PERSONAL_CHUNK", 2_048)
    locus = Locus("20", 18_500, 24_001)  # a cell of the gap alone lies inside
    found = service.predict("20:18501-24001", contexts=["Mono"], individual="cem")
    individual = world.individuals.individual("cem")
    direct = predict_haplotypes(individual, locus, world.reference, world.backbone, contexts=["Mono"])
    np.testing.assert_allclose(found["activity"], direct["activity"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["bin_start"], direct["bin_start"])
    assert found["haplotype"].values.tolist() == ["reference", "1", "2"]
    assert found.attrs["sample"] == "cem" and found.attrs["phasing"] == "as in the file"


def test_unknown_people_and_missing_files_are_refused_before_the_job(service):
    with pytest.raises(DataError, match="no sample 'eve'"):
        service.personal("ALPHA", "eve")
    with pytest.raises(DataError, match=r"missing|doesn't exist|no such"):
        service.personal("ALPHA", "ann", individuals="nowhere.vcf")
    with pytest.raises(DataError, match="choose one of"):
        service.personal("ALPHA", "ann", unphased="guess")
    with pytest.raises(JobError, match="personal"):
        service.submit("predict", locus="ALPHA", individual="ann")


def test_many_lines_of_text_are_no_path(service, world):
    letters = decode(world.reference.fetch_codes("20", 5_000, 5_040))
    lines = [f"20:{5_001 + at}:{base}:{'A' if base != 'A' else 'C'}" for at, base in enumerate(letters)]
    found = service.variant_effects("\n".join(lines))
    assert found.sizes["variant"] == len(lines)


def test_what_each_variant_does_alone_adds_up_exactly_over_cells(world, service, monkeypatch):
    monkeypatch.setattr("phenviz.service.effects.PERSONAL_CHUNK", 2_048)
    locus = Locus("20", 3_333, 14_001)
    individual = world.individuals.individual("bob")
    found = service.personal(locus, individual, mode="sum")
    exact = predict_haplotypes(individual, locus, world.reference, world.backbone)
    direct = sum_of_variants(exact, individual, world.reference, world.backbone)
    np.testing.assert_allclose(found["activity"], direct["activity"], rtol=1e-5, atol=1e-5)
    assert found.attrs["definition"] == direct.attrs["definition"]
    assert {name: found.attrs[name] for name in FACTS} == {name: exact.attrs[name] for name in FACTS}
    with pytest.raises(DataError, match="choose one of 'exact', 'sum'"):
        service.personal(locus, "bob", mode="both")


def test_effects_of_a_file_with_genotypes_are_private(service, world, variants):
    service.variant_effects(world.project.individuals[0])
    service.variant_effects(world.individuals.individual("ann").variants(Locus("20", 2_000, 9_000)))
    service.personal("ALPHA", "ann")
    service.expression("ALPHA", "ann")
    assert [path for path in service.store.folder.rglob("*") if path.is_file()] == []
    service.variant_effects(variants.iloc[:3])
    assert len(service.store) == 1


def write_calls(world, path, *calls: tuple[int, int, str]):
    """Write SNVs and deletions of one person: position, bases deleted, call and phase set."""
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=20,length=50021>"]
    lines += [f'##FORMAT=<ID={name},Number=1,Type={kind},Description=".">' for name, kind in FORMATS]
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT eve".split()))
    for position, deleted, call in calls:
        ref = decode(world.reference.fetch_codes("20", position - 1, position + deleted))
        alt = ref[0] if deleted else "A" if ref != "A" else "C"
        lines.append("\t".join(["20", str(position), ".", ref, alt, ".", ".", ".", "GT:PS", call]))
    path.write_text("\n".join(lines) + "\n")
    return path


FORMATS = (("GT", "String"), ("PS", "Integer"))


def test_phase_is_judged_over_the_locus_and_neither_over_its_cells_nor_beyond(
    world, service, tmp_path, monkeypatch
):
    calls = [(5_000, 0, "0|1:1"), (9_000, 0, "0/1:."), (15_000, 0, "0|1:2")]
    whole = write_calls(world, tmp_path / "whole.vcf", *calls)
    found = service.personal("20:4,501-6,000", "eve", individuals=whole)
    assert found.attrs["phasing"] == "as in the file" and found.attrs["variants"] == [0, 1]
    with pytest.raises(DataError, match="unphased at 20:9000"):
        service.personal("20:4,501-9,100", "eve", individuals=whole)
    monkeypatch.setattr("phenviz.service.effects.PERSONAL_CHUNK", 2_048)
    sets = write_calls(world, tmp_path / "sets.vcf", calls[0], calls[2])
    with pytest.raises(DataError, match="2 phase sets"):
        service.personal("20:4,501-16,000", "eve", individuals=sets)
    listed = service.personal("20:4,501-16,000", "eve", individuals=sets, unphased="as listed")
    assert listed.attrs["phasing"] == "2 phase sets put as listed"


def test_what_is_told_of_a_person_is_counted_once_over_all_cells(world, service, tmp_path, monkeypatch):
    monkeypatch.setattr("phenviz.service.effects.PERSONAL_CHUNK", 2_048)
    calls = [(2_000, 15_000, "0|1:."), (9_000, 0, "1|1:."), (17_900, 0, "1|0:.")]
    path = write_calls(world, tmp_path / "calls.vcf", *calls)
    found = service.personal("20:8,001-18,000", "eve", individuals=path)
    # the SNV in the deletion is left out of that haplotype
    assert found.attrs["variants"] == [2, 1] and found.attrs["variants_skipped"] == 1
    gone = found["activity"].sel(haplotype="2", bin=found["bin_start"] < 16_800)
    assert gone.sizes["bin"] and not gone.any()

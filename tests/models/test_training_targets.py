"""Training on several contigs and on everything that can be learnt: what comes out, and what is refused."""

from __future__ import annotations

import json
import stat

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.data.project import read_project
from phenviz.data.reporter_sequences import read_sequences, reverse_complement
from phenviz.errors import DataError, LocusError, ModelError
from phenviz.genome import ReferenceGenome, decode, one_hot
from phenviz.genome.peak_signal import DEFAULT_LEVEL
from phenviz.models.checkpoint import load_backbone
from phenviz.models.local import LocalBackbone
from phenviz.models.training import default_config, train_backbone
from phenviz.models.training_network import TrainableBackbone, scan_both_strands
from phenviz.models.training_regions import SPACER, JoinedContigs, check_regions
from phenviz.models.training_reporters import lies_within
from phenviz.models.training_targets import Sources, read_targets
from tests.models.training_toys import LENGTH, write_world
from tests.toys import CONTEXTS, tiny_config, toy_backbone

HELD_OUT = {"validation": (("chr1", 20_000, 60_000),), "test": (("chr2", 0, LENGTH),)}


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return read_project(write_world(tmp_path_factory.mktemp("world")))


@pytest.fixture(scope="module")
def learnt(world):
    """Give what `train_backbone` takes."""
    from phenviz.data.project_contexts import contexts_of_names

    reference = ReferenceGenome(world.reference, assembly="toy1", cache_dir=world.reference.parent)
    stages = tuple(tiny_config(CONTEXTS)["stages"])
    return {
        "peaks": world.peaks,
        "coverage": world.coverage,
        "sequences": world.sequences,
        "adaptors": world.adaptors,
        "contexts": contexts_of_names([*world.peaks, *world.coverage]),
        "reference": reference,
        "motifs": world.motifs,
        "config": default_config(
            stages=stages,
            teachers=0,
            epochs=2,
            student_epochs=2,
            batch_size=8,
            learning_rate=1e-2,
            **HELD_OUT,
        ),
    }


@pytest.fixture(scope="module")
def trained(learnt, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    config = default_config(**{**vars(learnt["config"]), "epochs": 6, "dropout": 0.0})
    return load_backbone(train_backbone(folder / "toy", **{**learnt, "config": config}))


def test_every_kind_of_target_is_learnt_and_told_for_each_context(trained):
    assert [context.name for context in trained.contexts] == ["Ery", "Neuron", "Cov", "Liver", "Kidney"]
    test = trained.card["metrics"]["test"]
    assert test["region"] == [["chr2", 0, LENGTH]]
    for name in ("Ery", "Neuron", "Cov"):
        assert test["contexts"][name]["peaks"] == 30
        assert test["contexts"][name]["against_background"]["value"] > 0.75, name
        assert test["contexts"][name]["within_sites"]["interval"][0] is not None
    for name in ("Liver", "Kidney"):
        assert test["sequences"][name]["sequences"] == 30
        assert test["sequences"][name]["pearson"]["value"] > 0.5, name


def test_the_card_says_what_each_context_learnt_in_which_unit(trained):
    targets = trained.card["training"]["targets"]
    assert {name: target["kind"] for name, target in targets.items()} == {
        "Ery": "signal", "Neuron": "presence", "Cov": "coverage", "Liver": "reporter", "Kidney": "reporter"
    }  # fmt: skip
    level = targets["Neuron"]["counts_as"]
    assert 4 < level < 9
    units = {context.name: context.unit for context in trained.contexts}
    assert units["Ery"] == "" and units["Liver"] == "RNA/DNA" and "coverage" in units["Cov"]
    assert "RNA/DNA (Liver, Kidney)" in trained.units
    described = {context.name: context.description for context in trained.contexts}
    assert f"{level:.3g}" in described["Neuron"] and "log2 RNA/DNA" in described["Liver"]
    assert {context.group for context in trained.contexts[-2:]} == {"reporter"}
    assert trained.card["training"]["assembly"] == "toy1"
    assert trained.card["training"]["contigs"] == ["chr1", "chr2"]
    # JSON knows no NaN
    json.loads(json.dumps(trained.card), parse_constant=pytest.fail)


def test_what_was_trained_reads_both_strands_alike(trained):
    x = torch.from_numpy(one_hot(np.random.default_rng(0).integers(0, 4, (2, 2_048)).astype(np.uint8)))
    with torch.inference_mode():
        torch.testing.assert_close(trained(x.flip(1, 2)), trained(x).flip(2), rtol=1e-4, atol=1e-5)


def test_a_run_does_not_go_on_with_other_peaks(learnt, tmp_path):
    train_backbone(tmp_path / "toy", **learnt)
    hashed = load_backbone(tmp_path / "toy.safetensors").weights_hash
    fewer = tmp_path / "Ery.narrowPeak"
    fewer.write_text("\n".join(learnt["peaks"]["Ery"].read_text().splitlines()[1:]) + "\n")
    changed = {**learnt, "peaks": {**learnt["peaks"], "Ery": fewer}}
    with pytest.raises(ModelError, match=r"other data \(files\).*--restart"):
        train_backbone(tmp_path / "toy", **changed)
    train_backbone(tmp_path / "toy", **changed, resume=False)
    assert load_backbone(tmp_path / "toy.safetensors").weights_hash != hashed
    state = tmp_path / "toy.training/backbone.pt"
    state.write_bytes(state.read_bytes()[:1_000])
    with pytest.raises(ModelError, match=r"backbone\.pt can't be read"):
        train_backbone(tmp_path / "toy", **changed)


@pytest.mark.parametrize(
    ("regions", "error"),
    [
        ({"test": (("chr2", 0, LENGTH + 1),)}, "ends at 150,000"),
        ({"test": (("chr7", 0, 10),)}, "no contig 'chr7'"),
        ({"test": (("chr1", 50_000, 70_000),)}, "overlaps validation region chr1:20,001-60,000"),
        ({"test": (("chr2", 0, 2_000),)}, "the test regions hold 0 summits"),
        ({"test": ()}, "the test part has no region"),
        ({"validation": (("chr1", 0, LENGTH),)}, "no peak|left to learn from"),
    ],
)
def test_wrong_regions_are_refused_before_the_first_step(learnt, tmp_path, regions, error):
    config = default_config(**{**vars(learnt["config"]), **regions})
    with pytest.raises((DataError, LocusError, ModelError), match=error):
        train_backbone(tmp_path / "toy", **{**learnt, "config": config})
    assert not (tmp_path / "toy.training").exists()


def test_a_context_without_a_peak_in_a_held_out_part_has_no_figure_there(learnt, tmp_path):
    kept = [line for line in learnt["peaks"]["Neuron"].read_text().splitlines() if line.startswith("chr1")]
    (tmp_path / "Neuron.bed").write_text("\n".join(kept))
    peaks = {**learnt["peaks"], "Neuron": tmp_path / "Neuron.bed"}
    card = load_backbone(train_backbone(tmp_path / "toy", **{**learnt, "peaks": peaks})).card
    known = card["metrics"]["test"]["contexts"]["Neuron"]
    assert known == {
        "peaks": 0,
        "against_background": {"value": None, "interval": [None, None]},
        "within_sites": {"value": None, "interval": [None, None]},
    }


def test_peaks_without_a_signal_come_to_the_scale_of_the_others(learnt, world):
    joined = JoinedContigs.of(learnt["reference"], ["chr1", "chr2"])
    sources = Sources(world.peaks)
    contexts = learnt["contexts"][:2]
    table = sources.read_peaks(contexts)
    targets = read_targets(sources, contexts, table, joined)
    median = table.loc[table["context"] == "Ery", "fold_enrichment"].median()
    own = targets.peaks.loc[targets.peaks["context"] == "Neuron", "fold_enrichment"]
    np.testing.assert_allclose(own, median, rtol=1e-6)
    # one number for all peaks is no signal either
    table.loc[table["context"] == "Ery", "fold_enrichment"] = 1.0
    targets = read_targets(sources, contexts, table, joined)
    assert set(targets.kinds.values()) == {"presence"}
    assert targets.level == DEFAULT_LEVEL


@pytest.mark.parametrize("seed", range(5))
def test_joined_contigs_hold_every_base_of_each_and_nothing_between(tmp_path, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 40_000, 4)
    texts = ["".join(rng.choice(list("ACGT"), n)) for n in lengths]
    (tmp_path / "a.fa").write_text("".join(f">c{i}\n{text}\n" for i, text in enumerate(texts)))
    reference = ReferenceGenome(tmp_path / "a.fa", assembly="a", cache_dir=tmp_path)
    names = [f"c{i}" for i in rng.permutation(4)[:3]]
    joined = JoinedContigs.of(reference, names)
    seen = np.zeros(len(joined.codes), bool)
    for name in names:
        start, end = joined.interval((name, 0, reference.length(name)))
        np.testing.assert_array_equal(joined.codes[start:end], reference.codes(name))
        seen[start:end] = True
        assert start % 128 == 0
    assert (joined.codes[~seen] == 4).all()
    gaps = joined.starts[1:] - joined.ends[:-1]
    assert (gaps >= SPACER).all()
    table = pd.DataFrame(
        {"contig": rng.choice(["c0", "chrc1", "c2", "c3"], 50), "start": rng.integers(0, 1, 50)}
    )
    placed = joined.place(table, ("start",))
    bare = table["contig"].str.removeprefix("chr")
    assert len(placed) == bare.isin(names).sum()
    assert [f"{name}" for name in joined.contig_at(placed["start"].to_numpy())] == [
        name for name in bare if name in names
    ]


def test_regions_get_the_names_of_the_reference(learnt):
    checked = check_regions(learnt["reference"], {"test": [("1", 5, 10)], "validation": [("chr2", 5, 10)]})
    assert checked == {"test": [("chr1", 5, 10)], "validation": [("chr2", 5, 10)]}


def test_fine_tuning_begins_with_what_the_checkpoint_predicts(learnt, tmp_path):
    torch.manual_seed(1)
    before = toy_backbone()
    new = (*CONTEXTS[::-1], *learnt["contexts"][2:])
    network = TrainableBackbone(before.config()["stages"], new, auxiliary=1, dropout=0.0)
    x = torch.from_numpy(one_hot(np.random.default_rng(1).integers(0, 4, (16, 1_024)).astype(np.uint8)))
    network.start_from(before, x)
    with torch.no_grad():
        after = network.export(name="new", window=1_024)
        torch.testing.assert_close(after.encode(x), before.encode(x), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(after(x)[:, :3], before(x).flip(1), rtol=1e-3, atol=1e-3)
        # and learns on with the same function: statistics of a batch are those of the data
        network.train()
        torch.testing.assert_close(network.encode(x), before.encode(x), rtol=1e-2, atol=1e-2)


def test_a_fine_tuned_backbone_names_what_it_began_from(learnt, trained, tmp_path):
    config = default_config(**{**vars(learnt["config"]), "epochs": 1})
    path = train_backbone(tmp_path / "new", **{**learnt, "config": config}, start=trained)
    card = load_backbone(path).card
    assert card["training"]["started_from"] == {"name": trained.name, "sha256": trained.weights_hash}
    assert card["metrics"]["test"]["contexts"]["Ery"]["against_background"]["value"] > 0.75


def test_other_devices_scan_as_the_processor_does():
    torch.manual_seed(2)
    x = torch.from_numpy(one_hot(np.random.default_rng(2).integers(0, 4, (3, 256)).astype(np.uint8)))
    weight = torch.randn(5, 4, 9)
    here = scan_both_strands(x, weight, 8)
    there = scan_both_strands(x.to("meta"), weight.to("meta"), 8)
    assert there.shape == here.shape


def test_reporter_sequences_are_read_without_their_adaptors(tmp_path):
    path = tmp_path / "s.tsv"
    header = "split\tsequence\tvalue\tcontext\n"
    path.write_text(header + "train\tAAccgtTT\t-1.5\tHepG2|WTC11\r\n\nTEST\tAAGGGTT\t2\tHepG2\n")
    table = read_sequences(path, ("AA", "TT"))
    assert table.to_dict("list") == {
        "sequence": ["CCGT", "CCGT", "GGG"],
        "context": ["HepG2", "WTC11", "HepG2"],
        "value": [-1.5, -1.5, 2.0],
        "split": ["training", "training", "test"],
    }


@pytest.mark.parametrize("seed", range(5))
def test_sequences_of_held_out_regions_are_known_on_either_strand(seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, 20_000).astype(np.uint8)
    codes[7_000:7_100] = 4
    regions = [(2_000, 4_000), (6_000, 9_000)]
    starts = rng.integers(0, 19_700, 200)
    lengths = rng.integers(100, 300, 200)
    texts = [decode(codes[start : start + n]) for start, n in zip(starts, lengths, strict=True)]
    texts = [reverse_complement(text) if rng.random() < 0.5 else text for text in texts]
    found = lies_within(texts, codes, regions)
    for known, start, n in zip(found, starts, lengths, strict=True):
        inside = any(low <= start and start + n <= high for low, high in regions)
        outside = all(start + n <= low or start >= high for low, high in regions)
        if inside and not (start < 7_100 and start + n > 7_000):
            assert known
        if outside:
            assert not known


def test_reporters_of_held_out_regions_are_left_out_and_counted(learnt, world, tmp_path):
    text = decode(learnt["reference"].codes("chr2")[5_000:5_200])
    path = tmp_path / "sequences.tsv"
    path.write_text(world.sequences[0].read_text() + f"ACGTACGT{text}TTTTCCCC\tLiver\t3\ttrain\n")
    config = default_config(**{**vars(learnt["config"]), "epochs": 1})
    trained = train_backbone(tmp_path / "toy", **{**learnt, "sequences": [path], "config": config})
    targets = load_backbone(trained).card["training"]["targets"]
    assert [targets[name]["left_out_as_held_out"] for name in ("Liver", "Kidney")] == [1, 0]
    assert targets["Liver"]["sequences"] == targets["Kidney"]["sequences"] == 60


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("train\tAAXXTT\t1\tHepG2", "line 3, holds no sequence of bases"),
        ("train\tAACCTG\t1\tHepG2", "line 3, holds a sequence without the adaptors AA ... TT"),
        ("train\tAACCTT\tnan\tHepG2", "line 3, holds no number"),
        ("learn\tAACCTT\t1\tHepG2", "line 3, holds no split"),
        ("train\tAACCTT\t1\t", "line 3, holds no context"),
        ("test\tAAACGGTT\t1\tHepG2", "line 3, holds a sequence that an earlier line has in another split"),
        ("test\tAACCGTTT\t1\tHepG2", "line 3, holds a sequence that an earlier line has in another split"),
    ],
)
def test_wrong_lines_of_reporter_sequences_are_named(tmp_path, line, error):
    path = tmp_path / "s.tsv"
    path.write_text(f"split\tsequence\tvalue\tcontext\ntrain\tAAACGGTT\t1\tHepG2\n{line}\n")
    with pytest.raises(DataError, match=error):
        read_sequences(path, ("AA", "TT"))


def test_the_other_strand_of_a_sequence_is_its_reverse_complement():
    assert reverse_complement("AACGN") == "NCGTT"


def test_the_command_trains_a_project_of_two_contigs(world, own_cache, tmp_path):
    out = tmp_path / "mine.safetensors"
    arguments = ["train", "backbone", "--world", str(world.path), "-o", str(out), "--epochs", "1"]
    arguments += [
        "--validation",
        "chr1:20,001-40,000,chr1:50,001-70,000",
        "--test",
        "chr2",
        "--teachers",
        "0",
    ]
    result = CliRunner().invoke(main, [*arguments, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "backbone: begins" in result.stderr and "Neuron: against background" in result.stderr
    assert (tmp_path / "mine.training/training.svg").is_file()
    card = load_backbone(out).card
    assert card["name"] == "mine"
    assert card["training"]["held_out"] == {
        "validation": [["chr1", 20_000, 40_000], ["chr1", 50_000, 70_000]],
        "test": [["chr2", 0, LENGTH]],
    }
    assert stat.S_IMODE(out.stat().st_mode) & 0o044
    missing = CliRunner().invoke(main, arguments[:6])
    assert missing.exit_code == 2 and "--validation is needed" in missing.output


def test_doctor_reads_what_is_trained_on(world, own_cache):
    result = CliRunner().invoke(main, ["doctor", "--world", str(world.path)])
    assert "120 in 2 contexts, coverage of Cov, 240 values of sequences" in result.output
    assert "1 of 18 checks failed" in result.output and "phenviz train backbone" in result.output


def test_a_backbone_of_one_unit_says_it(tmp_path):
    assert LocalBackbone.from_config(tiny_config(CONTEXTS)).units == "fold enrichment"

"""Training: the network folds into the backbone, learns a planted motif, and goes on where it stopped."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from phenviz.data.motifs import read_motifs
from phenviz.errors import Cancelled, ModelError
from phenviz.genome import ReferenceGenome, decode
from phenviz.genome.codes import N_CODE
from phenviz.models.checkpoint import load_backbone
from phenviz.models.peaks import cluster_summits, read_narrow_peaks
from phenviz.models.training import default_config, train_backbone
from phenviz.models.training_calibration import Bins, calibrate_head, fit_slope_and_offsets, log_activity
from phenviz.models.training_data import GUARD, prepare_data
from phenviz.models.training_motifs import choose_motifs, starting_filters
from phenviz.models.training_network import BothStrandScan, TrainableBackbone
from phenviz.models.training_summits import (
    BACKGROUND,
    JITTER,
    SUMMIT,
    SummitLesson,
    central_bins,
    summit_losses,
    window_of,
)
from phenviz.progress import Progress
from tests.toys import CONTEXTS, tiny_config, toy_backbone

LENGTH = 150_000
WINDOW = 1_280
MOTIF = np.array([2, 0, 3, 0, 0, 2, 1])  # GATAAGC
LOSS_WEIGHTS = {"specificity_weight": 1.0, "element_weight": 1.0, "openness_weight": 1.0}
MEME = """MEME version 4

MOTIF MA0035.4 GATA1
letter-probability matrix: alength= 4 w= 6 nsites= 20 E= 0
0 0 1 0
1 0 0 0
0 0 0 1
1 0 0 0
1 0 0 0
0 0 1 0

MOTIF MA9999.1 POLYC
letter-probability matrix: alength= 4 w= 5 nsites= 20 E= 0
0 1 0 0
0 1 0 0
0 1 0 0
0 1 0 0
0 1 0 0
"""


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """Give what `train_backbone` takes: peaks of the first context lie where a motif was planted."""
    folder = tmp_path_factory.mktemp("training")
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, LENGTH).astype(np.uint8)
    summits = np.sort(rng.choice(np.arange(3_000, LENGTH - 3_000, 800), 80, replace=False))
    for summit in summits:
        for offset in rng.integers(-60, 60, 4):
            codes[summit + offset : summit + offset + len(MOTIF)] = MOTIF
    (folder / "toy.fa").write_text(f">20\n{decode(codes)}\n")
    for context, chosen in zip(CONTEXTS, (summits, summits[::2], summits[::3]), strict=True):
        with gzip.open(folder / f"{context.name}_peaks.narrowPeak.gz", "wt") as file:
            for s in chosen:
                file.write(f"chr20\t{s - 150}\t{s + 150}\tp\t10\t.\t8.0\t5\t5\t150\n")
    (folder / "motifs.meme").write_text(MEME)
    elements = pd.DataFrame(
        {"contig": "20", "start": summits - 200, "end": summits + 200, "cell_types": "T cell|B cell"}
    )
    config = default_config(
        stages=tuple(tiny_config(CONTEXTS)["stages"]),
        teacher_changes=(),
        teachers=1,
        contigs=("20",),
        validation=(("20", 20_000, 40_000),),
        test=(("20", 90_000, 120_000),),
        epochs=2,
        student_epochs=2,
        batch_size=8,
        learning_rate=1e-2,
    )
    return {
        "peaks": {context.name: folder / f"{context.name}_peaks.narrowPeak.gz" for context in CONTEXTS},
        "contexts": CONTEXTS,
        "reference": ReferenceGenome(folder / "toy.fa", assembly="toy", cache_dir=folder),
        "motifs": folder / "motifs.meme",
        "elements": elements,
        "config": config,
    }


def read_log(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_training_lowers_the_loss_and_writes_a_scored_backbone(training, tmp_path):
    stages = set()
    config = replace(training["config"], teachers=0, epochs=10, dropout=0.0)
    path = train_backbone(
        tmp_path / "toy",
        **{**training, "config": config},
        progress=Progress(on_change=lambda stage, _: stages.add(stage)),
    )
    signal = [record["signal"] for record in read_log(tmp_path / "toy.training/metrics.jsonl")]
    assert signal[-1] < 0.7 * signal[0]
    backbone = load_backbone(path)
    test = backbone.card["metrics"]["test"]
    assert test["any_summit"]["value"] > 0.8
    assert backbone.card["training"]["held_out"]["test"] == [["20", 90_000, 120_000]]
    assert {"backbone", "evaluate"} <= stages


def test_an_interrupted_run_ends_with_the_same_weights(training, tmp_path):
    whole = train_backbone(tmp_path / "whole", **training)

    class Stop(Progress):
        steps = 0

        def advance(self, amount: float = 1.0) -> None:
            self.steps += amount == 1.0
            if self.steps > 30:
                raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        train_backbone(tmp_path / "parts", **training, progress=Stop())
    assert len(read_log(tmp_path / "parts.training/metrics.jsonl")) < 4
    parts = train_backbone(tmp_path / "parts", **training)
    assert load_backbone(parts).weights_hash == load_backbone(whole).weights_hash


def test_runs_can_be_done_one_by_one(training, tmp_path):
    train_backbone(tmp_path / "toy", **training, only=["teacher-0"])
    assert [r["run"] for r in read_log(tmp_path / "toy.training/metrics.jsonl")] == ["teacher-0"] * 2
    assert not (tmp_path / "toy.safetensors").exists()


def test_another_configuration_does_not_continue_a_run(training, tmp_path):
    train_backbone(tmp_path / "toy", **training, only=["teacher-0"])
    other = {**training, "config": replace(training["config"], seed=5)}
    with pytest.raises(ModelError, match="another configuration"):
        train_backbone(tmp_path / "toy", **other)
    train_backbone(tmp_path / "toy", **other, resume=False, only=["teacher-0"])


def test_contexts_without_peaks_are_refused(training, tmp_path):
    peaks = {name: path for name, path in training["peaks"].items() if name != "Mono"}
    with pytest.raises(ModelError, match="no peak file for Mono"):
        train_backbone(tmp_path / "toy", **{**training, "peaks": peaks})


def lesson_of(training, held_out, *, background=2.0, elements=1.0) -> SummitLesson:
    names = [context.name for context in CONTEXTS]
    peaks = read_narrow_peaks(training["peaks"])
    data = prepare_data(training["reference"].codes("20"), peaks, names, training["elements"], held_out)
    return SummitLesson.prepare(
        data,
        cluster_summits(peaks, names),
        peaks["summit"].to_numpy(),
        background=background,
        elements=elements,
        window=WINDOW,
    )


def test_no_window_touches_a_held_out_region(training):
    held_out = ((20_000, 40_000), (90_000, 120_000))
    lesson = lesson_of(training, held_out)
    places = np.concatenate([lesson.position, lesson.far, lesson.data.elements])
    reach = WINDOW // 2 + JITTER
    assert reach < GUARD
    for start, end in held_out:
        assert not ((places + reach > start) & (places - reach < end)).any()


def test_background_is_far_from_every_summit(training):
    lesson = lesson_of(training, ())
    away = np.abs(lesson.far[:, None] - lesson.position).min()
    assert away >= 1_000
    assert len(lesson.far) > 10_000


def test_windows_are_centred_on_what_they_are_labelled_with(training):
    lesson = lesson_of(training, ())
    kinds = []
    for batch in lesson.batches(np.random.default_rng(2), 8):
        kinds += batch.kind.tolist()
        assert batch.one_hot.shape == (8, 4, WINDOW)
        assert ((batch.enrichment > 0).any(1) == (batch.kind == SUMMIT)).all()
        # elements were laid around every summit, 400 bp wide
        assert (batch.elements[batch.kind == SUMMIT][:, -1, 1:3].mean(1) > 0.8).all()
        assert (batch.elements[batch.kind == BACKGROUND] < 0.5).all()
    summits, background, _ = lesson.size()
    assert abs(kinds.count(SUMMIT) - summits) < 8
    assert abs(kinds.count(BACKGROUND) - background) < 8


def test_elements_teach_nothing_about_enrichment(training):
    lesson = lesson_of(training, ())
    batch = next(lesson.batches(np.random.default_rng(3), 16))
    only = replace(batch, kind=torch.full_like(batch.kind, -1))
    outputs = torch.zeros(16, 3, 4), torch.zeros_like(batch.elements), torch.zeros(16, 3, 4)
    parts = summit_losses(outputs, only, **LOSS_WEIGHTS)
    assert parts["signal"] == 0
    assert parts["specificity"] == 0
    assert parts["openness"] == 0
    assert parts["elements"] > 0


def test_the_loss_on_openness_is_least_where_the_open_contexts_are_named(training):
    batch = next(lesson_of(training, ()).batches(np.random.default_rng(3), 16))
    is_open = (batch.enrichment > 0).float()[:, :, None].repeat(1, 1, 4)
    outputs = torch.zeros(16, 3, 4), torch.zeros_like(batch.elements)
    right, wrong = (
        summit_losses((*outputs, sign * (2 * is_open - 1)), batch, **LOSS_WEIGHTS)["openness"]
        for sign in (1, -1)
    )
    assert right < 0.5 < wrong


def test_presence_is_learnt_on_the_scale_of_the_activity(training):
    batch = next(lesson_of(training, ()).batches(np.random.default_rng(3), 16))
    rng = torch.Generator().manual_seed(4)
    chance = torch.rand(16, 3, generator=rng) * 0.05 + 0.001
    present = torch.zeros(16, 3)
    level = 7.3
    # log1p(activity) = chance * log1p(level)
    log_activity = torch.log(torch.expm1(chance * np.log1p(level)))[:, :, None].repeat(1, 1, 4)

    def loss(shift):
        outputs = log_activity + shift, torch.zeros_like(batch.elements), torch.zeros(16, 3, 4)
        known = replace(batch, is_open=present, kind=torch.zeros(16))
        return summit_losses(
            outputs, known, **LOSS_WEIGHTS, presence_weight=1.0, presence=(0, 1, 2), level=level
        )["presence"]

    expected = F.binary_cross_entropy(chance, present)
    torch.testing.assert_close(loss(0.0), expected, rtol=0.05, atol=1e-4)
    present[:] = 1.0
    assert loss(1.0) < loss(0.0) < loss(-1.0)


def test_open_summits_of_a_rarely_open_context_count_more(training):
    lesson = lesson_of(training, ())
    rare = np.zeros_like(lesson.enrichment)
    rare[:, 0], rare[: len(rare) // 4, 1] = 2.0, 2.0
    weight = replace(lesson, enrichment=rare).open_weight(0.5)
    assert weight[0] == 1
    assert weight[1] == pytest.approx(2, rel=0.05)
    torch.testing.assert_close(replace(lesson, enrichment=rare).open_weight(0), torch.ones(3))


def test_the_outputs_see_single_motifs_from_the_start():
    config = default_config()
    torch.manual_seed(1)
    network = TrainableBackbone(config.stages, CONTEXTS, auxiliary=1, dropout=0.0)
    network.start_stem(np.zeros((0, 4, 19), np.float32))
    motif = np.eye(4, dtype=np.float32)[:, [2, 0, 3, 0, 0, 2, 1, 1, 2]]
    with torch.no_grad():
        network.weights[0][5] = 0.0
        network.weights[0][5, :, 5:14] = torch.from_numpy(motif)
    network.pass_on(64)
    bases = torch.randint(0, 4, (64, 1280))
    with_motif = torch.arange(64) % 2 == 0
    bases[with_motif, 600:609] = torch.from_numpy(motif.argmax(0))
    x = F.one_hot(bases, 4).transpose(1, 2).float()
    with torch.no_grad():
        network.train()
        for _ in range(30):
            network.encode(x)
        network.eval()
        embedding = network.encode(x)
    here = embedding[:, :, 4]
    difference = (here[with_motif].mean(0) - here[~with_motif].mean(0)) / here.std(0).clamp(min=1e-6)
    assert int(difference.abs().argmax()) == 5
    assert difference[5] > 1


def test_the_exported_backbone_equals_the_network(training):
    torch.manual_seed(3)
    network = TrainableBackbone(training["config"].stages, CONTEXTS, auxiliary=2, dropout=0.2)
    x = F.one_hot(torch.randint(0, 4, (6, 1024)), 4).transpose(1, 2).float()
    with torch.no_grad():
        network.train()
        for _ in range(50):
            network.encode(x)
        for norm in network.norms:
            norm.log_gain.normal_(std=0.3)
            norm.offset.normal_()
        network.head.weight.normal_(std=0.2)
        network.eval()
        expected = network.head(network.encode(x))
    with torch.no_grad():
        backbone = network.export(name="toy", window=1024)
        found = backbone.log_activity(backbone.encode(x))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(backbone(x.flip(1, 2)), backbone(x).flip(2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pool", [3, 8])
@pytest.mark.parametrize("mixed", [False, True])
def test_both_strand_scan_equals_convolution_and_pooling(pool, mixed):
    torch.manual_seed(4)
    x = F.one_hot(torch.randint(0, 4, (3, 240)), 4).transpose(1, 2).float()
    weight = torch.randn(5, 4, 9).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        found = BothStrandScan.apply(x, weight, pool)
    both = torch.cat([weight, weight.flip(1, 2)])
    expected = F.max_pool1d(F.conv1d(x, both, padding=4), pool)
    expected = torch.maximum(expected[:, :5], expected[:, 5:])
    # bfloat16 keeps 8 bits, so that near ties may go to another position
    slope = torch.randn_like(expected).to(found.dtype)
    (a,) = torch.autograd.grad(found, weight, slope)
    (b,) = torch.autograd.grad(expected, weight, slope.float())
    if mixed:
        torch.testing.assert_close(found.float(), expected, rtol=0.03, atol=0.1)
        assert torch.corrcoef(torch.stack([a.ravel(), b.ravel()]))[0, 1] > 0.97
    else:
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("capability", ["amx_bf16", "avx512_bf16", "bf16", "sve_bf16"])
def test_training_runs_in_bfloat16_only_where_the_processor_has_it(monkeypatch, training, capability):
    network = TrainableBackbone(training["config"].stages, CONTEXTS, auxiliary=3, dropout=0.0)
    seen = []
    network.encode = lambda x: seen.append(torch.is_autocast_enabled("cpu")) or torch.zeros(1, 8, 10)
    for known in ({capability: True}, {capability: False, "avx2": True}, {}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: known, raising=False)
        central_bins(network, torch.zeros(1, 4, 1_280))
    assert seen == [True, False, False]


def planted_bins(rng, slope, offsets):
    predicted = rng.normal(0, 2, (3, 4_000))
    target = np.logaddexp(0, slope * predicted + np.asarray(offsets)[:, None])
    return Bins(predicted, target, rng.random(4_000) + 0.5)


def test_calibration_takes_slope_and_level_from_validation_and_contexts_from_what_was_learnt():
    rng = np.random.default_rng(5)
    same = [0.5, -0.2, 1.0]
    slope, found = fit_slope_and_offsets(planted_bins(rng, 0.6, same), planted_bins(rng, 0.6, same))
    assert slope == pytest.approx(0.6, abs=1e-3)
    np.testing.assert_allclose(found, same, atol=2e-3)
    # a validation region where the first context is open more often says nothing of that context elsewhere
    validation = planted_bins(rng, 0.6, [1.5, -0.2, 1.0])
    _, found = fit_slope_and_offsets(validation, planted_bins(rng, 0.6, same))
    np.testing.assert_allclose(found - found[1], np.subtract(same, same[1]), atol=0.05)
    assert found[1] > -0.2


def test_calibration_is_folded_into_the_head_and_skips_unknown_bases(training):
    codes = training["reference"].codes("20").copy()
    codes[30_000:40_000] = N_CODE
    rng = np.random.default_rng(6)
    signal = np.abs(rng.normal(0, 3, (3, len(codes) // 16 + 1))).astype(np.float16)
    regions = {"validation": [(0, 25_600)], "learnt": [(25_600, 51_200)]}
    backbone, other = toy_backbone(), toy_backbone()
    before = log_activity(backbone, codes, (0, 25_600))
    calibrate_head(backbone, codes, signal, **regions, open_weight=5.0)
    after = log_activity(backbone, codes, (0, 25_600))
    for old, new in zip(before, after, strict=True):
        slope, offset = np.polyfit(old, new, 1)
        np.testing.assert_allclose(new, slope * old + offset, atol=1e-4)
    signal[:, 31_000 // 16 : 39_000 // 16] = 50.0
    calibrate_head(other, codes, signal, **regions, open_weight=5.0)
    np.testing.assert_array_equal(log_activity(other, codes, (0, 25_600)), after)


def test_what_is_learnt_from_stays_clear_of_the_held_out_regions(training):
    peaks = read_narrow_peaks(training["peaks"])
    names = [context.name for context in CONTEXTS]
    data = prepare_data(np.zeros(150_000, np.uint8), peaks, names, None, ((90_000, 120_000), (0, 10_000)))
    assert data.learnt == [(12_000, 88_000), (122_000, 150_000)]


def test_a_teacher_may_see_farther_and_learn_longer_than_its_student(training, tmp_path):
    stages = training["config"].stages
    farther = (*stages, {**stages[-1], "dilation": 3})
    config = replace(
        training["config"], teacher_changes=({"stages": farther, "epochs": 3, "background": 1.0},)
    )
    backbone = load_backbone(train_backbone(tmp_path / "toy", **{**training, "config": config}))
    runs = [record["run"] for record in read_log(tmp_path / "toy.training/metrics.jsonl")]
    assert runs == ["teacher-0"] * 3 + ["student"] * 2
    assert len(backbone.stages) == len(stages)


def test_a_network_sees_its_own_window_in_the_middle_of_a_longer_one(training):
    torch.manual_seed(0)
    network = TrainableBackbone(training["config"].stages, CONTEXTS, auxiliary=3, dropout=0.0).eval()
    window = window_of(network)
    assert window == 128 * (4 + 2 * network.reach)
    x = F.one_hot(torch.randint(0, 4, (2, window + 512)), 4).transpose(1, 2).float()
    for wide, narrow in zip(central_bins(network, x), central_bins(network, x[:, :, 256:-256]), strict=True):
        torch.testing.assert_close(wide, narrow)
    # what the four central bins can't see is outside the window, but for less than a bin
    changed = x.flip(1)
    changed[:, :, 128:-128] = x[:, :, 128:-128]
    torch.testing.assert_close(central_bins(network, changed)[0], central_bins(network, x)[0])


def test_the_stem_starts_from_different_motifs(training):
    motifs = read_motifs(training["motifs"])
    assert [motif.name for motif in motifs] == ["GATA1", "POLYC"]
    twice = [*motifs, motifs[0]]
    chosen = choose_motifs([motif.name for motif in twice], [motif.frequencies for motif in twice], 3, 7)
    assert chosen == [0, 1]
    filters = starting_filters(training["motifs"], 8, 7)
    np.testing.assert_allclose((filters**2).sum((1, 2)), 1, rtol=1e-5)
    assert decode(filters[0].argmax(0).astype(np.uint8))[:6] == "GATAAG"

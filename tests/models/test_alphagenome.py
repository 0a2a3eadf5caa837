"""AlphaGenome's PyTorch port as a backbone: its heads, scales and tracks."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_model
from torch import nn

from phenviz.errors import DataError, ModelError, TargetError
from phenviz.models.adapters import load_adapter
from phenviz.models.adapters.alphagenome import read_alphagenome_config, wrap_alphagenome
from phenviz.models.adapters.tracks import model_tracks, select_tracks
from tests.models.test_adapters import one_hot
from tests.models.test_contract import broken

SIZES = {"atac": 3, "dnase": 4, "rna_seq": 3, "chip_tf": 2}
COLUMNS = (
    "output_type", "track_index", "track_name", "ontology_curie", "biosample_name", "assay_title", "strand",
    "transcription_factor",
)  # fmt: skip
ROWS = [
    ("atac", 0, "CL:0000084 ATAC-seq", "CL:0000084", "T-cell", "ATAC-seq", ".", None),
    ("atac", 1, "UBERON:0002107 ATAC-seq", "UBERON:0002107", "liver", "ATAC-seq", ".", None),
    ("atac", 2, "Padding", None, None, None, ".", None),
    ("dnase", 0, "CL:0000182 DNase-seq", "CL:0000182", "hepatocyte", "DNase-seq", ".", None),
    ("dnase", 1, "Padding", None, None, None, ".", None),
    ("dnase", 2, "EFO:0002067 DNase-seq", "EFO:0002067", "K562", "DNase-seq", ".", None),
    ("dnase", 3, "Padding", "", "", "", ".", None),
    ("rna_seq", 0, "UBERON:0002107 total RNA-seq", "UBERON:0002107", "liver", "total RNA-seq", "+", None),
    ("rna_seq", 1, "UBERON:0002107 total RNA-seq", "UBERON:0002107", "liver", "total RNA-seq", "-", None),
    ("rna_seq", 2, "Padding", None, None, None, ".", None),
    ("chip_tf", 0, "EFO:0002067 TF ChIP-seq CTCF", "EFO:0002067", "K562", "TF ChIP-seq", ".", "CTCF"),
    ("chip_tf", 1, "EFO:0002067 TF ChIP-seq REST", "EFO:0002067", "K562", "TF ChIP-seq", ".", "REST"),
    ("splice_sites_usage", 0, "K562", "EFO:0002067", "K562", "polyA plus RNA-seq", "+", None),
]


@pytest.fixture
def tracks(tmp_path):
    pd.DataFrame(ROWS, columns=COLUMNS).to_parquet(tmp_path / "tracks.parquet")
    return model_tracks("alphagenome", tmp_path / "tracks.parquet")


def test_strands_are_paired_where_all_else_of_the_table_is_the_same(tmp_path, tracks):
    named = {track.identifier: track.partner for track in tracks}
    assert (named["RNA_SEQ_0"], named["RNA_SEQ_1"]) == ("RNA_SEQ_1", "RNA_SEQ_0")
    assert {named[name] for name in named if not name.startswith("RNA")} == {""}
    # one strand alone, and two that could both be the other one
    other = ("rna_seq", 3, "", "CL:0000182", "hepatocyte", "total RNA-seq", "-", None)
    third = (*ROWS[8][:1], 4, *ROWS[8][2:])
    pd.DataFrame([*ROWS, other, third], columns=COLUMNS).to_parquet(tmp_path / "more.parquet")
    named = {one.identifier: one.partner for one in model_tracks("alphagenome", tmp_path / "more.parquet")}
    assert [named[f"RNA_SEQ_{number}"] for number in (0, 1, 3, 4)] == [None] * 4
    pd.DataFrame(ROWS, columns=COLUMNS).drop(columns="strand").to_parquet(tmp_path / "none.parquet")
    assert {one.partner for one in model_tracks("alphagenome", tmp_path / "none.parquet")} == {""}


class FakeHead(nn.Module):
    """As the port's: weights for each organism, a gain and a mean for each track."""

    def __init__(self, tracks, squashed):
        super().__init__()
        conv = nn.Module()
        conv.weight, conv.bias = (
            nn.Parameter(torch.randn(2, tracks, 6)),
            nn.Parameter(4 * torch.randn(2, tracks)),
        )
        self.convs = nn.ModuleDict({"128": conv})
        self.residual_scales = nn.ParameterDict({"128": nn.Parameter(torch.randn(2, tracks))})
        self.register_buffer("track_means", 0.1 + torch.rand(2, tracks))
        self.apply_squashing = squashed


class FakeAlphaGenome(nn.Module):
    """The interface of alphagenome_pytorch.AlphaGenome that the adapter calls."""

    def __init__(self, num_organisms=2):
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.organism = nn.Conv1d(4, 6, 128, stride=128), nn.Embedding(num_organisms, 6)
        self.heads = nn.ModuleDict({name: FakeHead(size, name == "rna_seq") for name, size in SIZES.items()})

    def encode(self, x, organism_index, *, resolutions, channels_last):
        assert resolutions == (128,) and not channels_last
        x = self.conv(x.transpose(1, 2)) + self.organism(organism_index)[:, :, None]
        return {"embeddings_128bp": torch.tanh(4 * x + x.mean(-1, keepdim=True)), "embeddings_pair": x}


def predicted(model, x, track):
    """What the port's documentation says of one human track, number by number."""
    embedding = model.encode(
        x.transpose(1, 2), torch.zeros(len(x), dtype=int), resolutions=(128,), channels_last=False
    )
    head, row = model.heads[track.head], track.index
    values = torch.einsum("bcs,c->bs", embedding["embeddings_128bp"], head.convs["128"].weight[0, row])
    values = np.log1p(np.exp((values + head.convs["128"].bias[0, row]).double().numpy()))
    values *= np.log1p(np.exp(float(head.residual_scales["128"][0, row])))
    values = np.where(values > 10, (values + 10) ** 2 / 40, values)
    values = values ** (4 / 3) if track.head == "rna_seq" else values
    return values * float(head.track_means[0, row]) * 128


def test_the_table_gives_real_tracks_with_names_ontology_terms_and_their_place_in_a_head(tracks):
    found = [(track.identifier, track.head, track.index) for track in tracks]
    assert found == [
        ("ATAC_0", "atac", 0), ("ATAC_1", "atac", 1), ("DNASE_0", "dnase", 0), ("DNASE_2", "dnase", 2),
        ("RNA_SEQ_0", "rna_seq", 0), ("RNA_SEQ_1", "rna_seq", 1), ("CHIP_TF_0", "chip_tf", 0),
        ("CHIP_TF_1", "chip_tf", 1),
    ]  # fmt: skip
    contexts = [track.as_context() for track in tracks]
    assert (contexts[0].label, contexts[0].curie, contexts[0].group) == (
        "T-cell, ATAC-seq",
        "CL:0000084",
        "ATAC",
    )
    assert contexts[5].label == "liver, total RNA-seq, - strand" and contexts[5].group == "RNA"
    assert contexts[6].label == "K562, TF ChIP-seq, CTCF"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, ["ATAC_0", "ATAC_1", "DNASE_0", "DNASE_2"]),
        (["hepatocyte"], ["DNASE_0"]),
        (["liver RNA"], ["RNA_SEQ_0", "RNA_SEQ_1"]),
        (["atac LIVER"], ["ATAC_1"]),
        (["uberon:0002107"], ["ATAC_1", "RNA_SEQ_0", "RNA_SEQ_1"]),
        (["CTCF k562", "CL:0000084"], ["ATAC_0", "CHIP_TF_0"]),
        (["CHIP"], ["CHIP_TF_0", "CHIP_TF_1"]),
    ],
)
def test_tracks_are_found_by_words_ontology_term_and_assay(tracks, wanted, found):
    assert [track.identifier for track in select_tracks(tracks, wanted)] == found


def test_tracks_that_are_not_there_are_refused_and_so_is_a_table_without_its_columns(tracks, tmp_path):
    with pytest.raises(
        TargetError, match=r"no track 'liver CAGE' among 8: give an assay \(ATAC, DNASE, RNA, CHIP\)"
    ):
        select_tracks(tracks, ["liver CAGE"])
    pd.DataFrame({"output_type": ["atac"], "track_index": [0]}).to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="lacks the columns biosample_name, assay_title, ontology_curie"):
        model_tracks("alphagenome", tmp_path / "bad.parquet")
    (tmp_path / "no.parquet").write_text("x")
    with pytest.raises(DataError, match=r"no.parquet can't be read .*fetch it again"):
        model_tracks("alphagenome", tmp_path / "no.parquet")


def test_it_predicts_what_the_port_says_of_the_chosen_human_tracks(tracks):
    model, x = FakeAlphaGenome().eval(), one_hot(2_048)
    backbone = wrap_alphagenome(model, tracks, window=2_048)
    with torch.no_grad():
        slow = np.stack([predicted(model, x, track) for track in tracks], 1)
        # some above the soft clip, some below
        assert (slow / 128 > 20).any() and (slow / 128 < 5).any()
        np.testing.assert_allclose(backbone(x), slow, rtol=1e-4)
        torch.testing.assert_close(backbone.activity(backbone.encode(x)), backbone(x))
    backbone.weights_hash = "abc"
    assert broken(backbone) == {}


def test_it_is_loaded_from_its_weights_with_the_window_of_its_config(monkeypatch, tmp_path, tracks):
    monkeypatch.setitem(sys.modules, "alphagenome_pytorch", SimpleNamespace(AlphaGenome=FakeAlphaGenome))
    monkeypatch.setattr("phenviz.models.adapters.model_tracks", lambda kind: tracks)
    path, model = tmp_path / "w.safetensors", FakeAlphaGenome().eval()
    # published weights are in half precision
    save_model(model.half(), path)
    assert load_adapter("alphagenome", path, ["liver"]).window == 131_072
    (tmp_path / "config.json").write_text('{"window": 4096}')
    backbone, x = load_adapter("alphagenome", path, ["liver"]), one_hot(4_096)
    with torch.no_grad():
        torch.testing.assert_close(
            backbone(x), wrap_alphagenome(model.float(), select_tracks(tracks, ["liver"]), window=4_096)(x)
        )
    assert [context.curie for context in backbone.contexts] == ["UBERON:0002107"] * 3
    # weights that don't say the mean of each track, as early ones, would give numbers on another scale
    del model.heads["atac"].track_means
    save_model(model, path)
    with pytest.raises(ModelError, match=r"no heads\.atac\.track_means"):
        load_adapter("alphagenome", path, ["liver"])


@pytest.mark.parametrize("window", [1_024, 5_000, 2**21, "long", True, 4096.0])
def test_a_window_that_it_cannot_take_is_refused(tmp_path, window):
    (tmp_path / "config.json").write_text(json.dumps({"window": window}))
    with pytest.raises(ModelError, match=r"'window' is .*a multiple of 2,048, at most 1,048,576"):
        read_alphagenome_config(tmp_path / "w.safetensors")


def test_the_older_package_of_the_same_name_and_none_at_all_say_what_to_install(monkeypatch, tmp_path):
    class Older(nn.Module):
        def __init__(self, dims=(768,)):
            super().__init__()

    for package in (
        SimpleNamespace(AlphaGenome=Older),
        SimpleNamespace(AlphaGenome=lambda num_organisms: nn.Module()),
        None,
    ):
        monkeypatch.setitem(sys.modules, "alphagenome_pytorch", package)
        with pytest.raises(ModelError, match=r"pip install 'phenviz\[alphagenome\]' \(it needs Python 3.12"):
            load_adapter("alphagenome", tmp_path / "w.safetensors")

from __future__ import annotations

import gzip
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phenviz.data.embedded import MOTIFS
from phenviz.data.motifs import find_motif, near_motifs, read_motifs
from phenviz.errors import DataError, SequenceError

CASES = Path(__file__).parents[1] / "cases" / "motifs"
HEAD = (
    "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\n"
    "A 0.3 C 0.2 G 0.2 T 0.3\n\n"
)
ROW = "0.1 0.2 0.3 0.4\n"


def _consensus(motif):
    return "".join("ACGT"[row] for row in motif.frequencies.argmax(0))


def _read(tmp_path, text):
    (tmp_path / "a.meme").write_text(text)
    return read_motifs(tmp_path / "a.meme")


def test_two_motifs_of_one_name_are_both_there():
    one, two = read_motifs(CASES / "dup.meme")
    assert (_consensus(one), _consensus(two)) == ("AGATAAGG", "CCGGAAGT")
    assert (one.name, two.name) == ("NOVEL", "NOVEL")
    assert (one.motif_id, two.motif_id) == (one.label, two.label) == ("NOVEL#1", "NOVEL#2")


def test_a_motif_without_a_matrix_is_left_out_and_told(caplog):
    with caplog.at_level(logging.WARNING):
        motifs = read_motifs(CASES / "nomatrix.meme")
    assert [(motif.motif_id, motif.name) for motif in motifs] == [("1", "DREME-1"), ("3", "GATALIKE")]
    assert [_consensus(motif) for motif in motifs] == ["CAGATGGA", "AGATAAGG"]
    assert "1 motif without a letter-probability matrix left out: 2 (line 22)" in caplog.text


def test_a_matrix_may_leave_its_width_out():
    (motif,) = read_motifs(CASES / "now.meme")
    assert (motif.name, _consensus(motif)) == ("group0", "AGATAAGG")


@pytest.mark.parametrize("seed", range(20))
def test_random_motifs_come_back_however_they_are_laid_out(tmp_path, seed):
    rng = np.random.default_rng(seed)
    text, expected = HEAD, []
    for number in range(rng.integers(1, 12)):
        rows = np.round(rng.dirichlet(np.ones(4), rng.integers(1, 20)), 6)
        name = str(rng.choice(["", f"TF{number}", "(Tfap2a)_(Mus_musculus)", "V$AP1 site"]))
        text += f"MOTIF M{number}.1{rng.choice([' ', '  ', chr(9)])}{name}\n" + "\n" * rng.integers(0, 2)
        said = [
            f"alength={rng.choice(['', ' '])}4",
            f"w= {len(rows)}",
            f"w={len(rows)}",
            "nsites= 20",
            "E= 1e-3",
        ]
        text += "letter-probability matrix: " + " ".join(said[i] for i in np.flatnonzero(rng.random(5) < 0.5))
        text += "\n" + "".join(f" {'  '.join(f'{value:.6f}' for value in row)}\t\n" for row in rows)
        text += str(rng.choice(["\n", "\nURL http://x/w=1\n\n"]))
        expected.append((f"M{number}.1", name or f"M{number}.1", rows.T))
    content = text.replace("\n", "\r\n").encode() if seed % 2 else text.encode()
    (tmp_path / "a.meme").write_bytes(gzip.compress(content) if seed % 3 == 0 else content)
    motifs = read_motifs(tmp_path / "a.meme")
    assert [(motif.motif_id, motif.name) for motif in motifs] == [one[:2] for one in expected]
    for motif, (_, _, frequencies) in zip(motifs, expected, strict=True):
        np.testing.assert_allclose(motif.frequencies, frequencies, atol=2e-6)


def test_the_text_output_of_meme_is_read(tmp_path):
    text = HEAD + (
        "MOTIF GATAAG MEME-1\twidth =   2  sites =  20  llr = 1  p-value = 1  E-value = 1e-3\n-----\n"
        "\tMotif GATAAG MEME-1 Description\n-----\n0 1 2\nlog-odds matrix: alength= 4 w= 2\n"
        "-1 2 3 4\n-1 2 3 4\n"
        f"letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 1e-3\n {ROW} {ROW}-----\n"
        "SUMMARY OF MOTIFS\n1 2 3\n"
    )
    (motif,) = _read(tmp_path, text)
    assert (motif.motif_id, motif.name, motif.frequencies.shape) == ("GATAAG", "MEME-1", (4, 2))


def test_rounded_rows_add_up_to_one(tmp_path):
    (motif,) = _read(tmp_path, HEAD + "MOTIF a\nletter-probability matrix:\n0.33 0.33 0.33 0.00\n")
    np.testing.assert_allclose(motif.frequencies.sum(0), 1)


def test_an_alphabet_may_be_defined_at_length(tmp_path):
    define = (
        'ALPHABET "mine" DNA-LIKE\nA "Adenine" CC0000 ~ T "Thymine" 008000\nC "Cytosine" ~ G "Guanine"\n{}'
        'N "Any base" = ACGT\nEND ALPHABET\nMOTIF a\nletter-probability matrix: w= 1\n' + ROW
    )
    assert len(_read(tmp_path, define.format(""))) == 1
    with pytest.raises(DataError, match="line 6: motifs of the alphabet 'ATCGm', and PhenViz reads DNA"):
        _read(tmp_path, define.format('m "5-Methylcytosine"\n'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD.replace("ACGT", "ACGU"), "line 3: motifs of RNA, and PhenViz reads DNA"),
        (HEAD.replace("ACGT", "ACDEFGHIKLMNPQRSTVWY"), "line 3: motifs of proteins"),
        ("MOTIF a\nletter-probability matrix: alength= 20 w= 3\n", "line 2: a matrix of 20 letters"),
        ("MOTIF a\nletter-probability matrix: w= 2\n8 2 5 5\n8 2 5 5\n", "line 3: a row that adds up to 20"),
        ("MOTIF a\nletter-probability matrix: w= 3\n" + ROW * 2, "the matrix of a has 2 rows and says w= 3"),
        ("MOTIF a\nletter-probability matrix: w= 3\n" + ROW * 2 + "MOTIF b\n", "has 2 rows and says w= 3"),
        ("MOTIF a\nletter-probability matrix: w= 1\n0.5 0.5\n", "line 3: '0.5 0.5' is no row of a matrix"),
        ("MOTIF a\nletter-probability matrix:\n-0.1 0.5 0.5 0.1\n", "line 3: .* is no row"),
        ("MOTIF a\nletter-probability matrix:\n0.5 0.5 0 0x\n", "line 3: .* is no row"),
        ("MOTIF a\nletter-probability matrix: w= x\n" + ROW, "line 2: the width 'x' is no whole number"),
        ("letter-probability matrix: w= 1\n" + ROW, "line 1: a matrix without a MOTIF line"),
        ("MOTIF\n", "line 1: a motif without a name"),
        (HEAD + "MOTIF a\nMOTIF b\n", "hold no motif with a matrix"),
        (">MA0001.1 AGL3\nA [ 0 3 79 ]\n", "hold no motif with a matrix: give a file in MEME format"),
    ],
)  # fmt: skip
def test_what_is_no_motif_of_dna_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        _read(tmp_path, text)


def test_half_a_packed_file_is_refused(tmp_path):
    (tmp_path / "a.meme").write_bytes(gzip.compress((HEAD + "MOTIF a\n").encode())[:-9])
    with pytest.raises(DataError, match=r"a\.meme can't be read"):
        read_motifs(tmp_path / "a.meme")


def test_a_name_of_several_matrices_is_asked_for_by_accession():
    motifs = read_motifs(MOTIFS)
    with pytest.raises(SequenceError, match=r"'JUN' is the name of 2 motifs.*: MA0488\.2, MA0489\.1"):
        find_motif(motifs, "JUN")
    assert find_motif(motifs, "MA0488.2").label == find_motif(motifs, "ma0488").label == "JUN (MA0488.2)"
    assert find_motif(motifs, "gata1").motif_id == "MA0035.5"
    assert find_motif(motifs, "NOBODY9") is None
    assert near_motifs(motifs, "JUNN")[0] == "JUN"
    hocomoco = [replace(motifs[0], name="GATA1.H12CORE.0.P.B"), replace(motifs[1], name="GAT")]
    assert near_motifs(hocomoco, "gata1")[0] == "GATA1.H12CORE.0.P.B"


def test_every_motif_is_found_by_its_accession_and_every_name_is_one_s_own_or_refused():
    motifs = read_motifs(MOTIFS)
    names = [motif.name for motif in motifs]
    for motif in motifs:
        assert find_motif(motifs, motif.motif_id) is motif
        if names.count(motif.name) == 1:
            assert find_motif(motifs, motif.name) is motif
        else:
            with pytest.raises(SequenceError, match=motif.motif_id):
                find_motif(motifs, motif.name)

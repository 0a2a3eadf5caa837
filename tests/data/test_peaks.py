import gzip

import numpy as np
import pandas as pd
import pytest

from phenviz.data import packs, peaks
from phenviz.errors import DataError
from phenviz.genome.peak_signal import DEFAULT_LEVEL, on_one_scale, signal_of_contexts

_LINES = (
    "chr20\t500\t900\tp2\t10\t.\t2.5\t3\t2\t100\n"
    "chr20\t100\t300\tp1\t10\t.\t5.5\t3\t2\t40\n"
    "chr2\t1\t9\tp3\t1\t.\t1\t1\t1\t2\n"
)


def test_peaks_of_one_contig_come_by_context_with_absolute_summits(tmp_path):
    (tmp_path / "a.narrowPeak").write_text(_LINES)
    (tmp_path / "b.narrowPeak.gz").write_bytes(gzip.compress(_LINES.encode()))
    table = peaks.read_narrowpeak_files(
        {"Ery": tmp_path / "a.narrowPeak", "B": tmp_path / "b.narrowPeak.gz"}, "chr20"
    )
    assert list(table.columns) == ["contig", "start", "end", "context", "fold_enrichment", "summit"]
    assert table["context"].tolist() == ["Ery", "Ery", "B", "B"]
    assert table["summit"].tolist() == [140, 600, 140, 600]
    assert set(table["contig"]) == {"20"}


def test_without_a_contig_all_are_kept(tmp_path):
    (tmp_path / "a.narrowPeak").write_text(_LINES)
    assert len(peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"})) == 3


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("columns", [3, 4, 6, 9, 12])
def test_a_bed_file_tells_where_peaks_are_and_no_signal(tmp_path, ending, columns):
    rng = np.random.default_rng(columns)
    starts = np.sort(rng.choice(10_000, 20, replace=False)) * 100
    lines = ["track name=peaks", "# made by hand"]
    for start in starts:
        end = start + int(rng.integers(1, 99))
        more = (f"peak#{start}", "713", ".", f"{start}", f"{end}", "0,0,0", "1", "10", "0")
        lines.append("\t".join(("chr20", f"{start}", f"{end}", *more)[:columns]))
    (tmp_path / "a.bed").write_bytes(ending.join(lines).encode())
    table = peaks.read_narrowpeak_files({"Neuron": tmp_path / "a.bed"})
    assert table["start"].tolist() == starts.tolist()
    assert (table["fold_enrichment"] == 1).all()
    assert (table["summit"] == (table["start"] + table["end"]) // 2).all()


def test_a_summit_that_was_not_called_is_the_middle_of_the_peak(tmp_path):
    lines = "chr20\t100\t301\tp\t1\t.\t5.5\t3\t2\t-1\nchr20\t500\t901\tp\t1\t.\t2.5\t3\t2\t0\n"
    (tmp_path / "a.narrowPeak").write_text(lines)
    (tmp_path / "b.broadPeak").write_text(lines.replace("\t-1\n", "\n").replace("\t0\n", "\n"))
    table = peaks.read_narrowpeak_files({"A": tmp_path / "a.narrowPeak", "B": tmp_path / "b.broadPeak"})
    assert table["summit"].tolist() == [200, 500, 200, 700]
    assert table["fold_enrichment"].tolist() == [5.5, 2.5, 5.5, 2.5]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("chr20\t1\n", 1),
        ("chr20\t1\t2\nchr20\tone\t2\n", 2),
        ("chr20\t1\t2\nchr20\t9\t8\n", 2),
        ("chr20\t1\t2\nchr20\t1\t2\tmore\n", 2),
        ("# contig\nchr20\t100\t300\tp1\t10\t.\t5.5\t3\t2\t20040\n", 2),
        ("chr20\t100\t300\tp1\t10\t.\tnan\t3\t2\t40\n", 1),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, text, line):
    (tmp_path / "a.narrowPeak").write_text(text)
    with pytest.raises(
        DataError, match=rf"can't be read as narrowPeak or BED: line {line}\b.*a\.narrowPeak is no narrowPeak"
    ):
        peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"})


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08cut off", b"\xff\xfe\x00chr"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "a.narrowPeak").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.narrowPeak"):
        peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"})


def test_a_pack_that_is_not_here_is_said(toy_pack):
    with pytest.raises(packs.PackMissing):
        peaks.read_narrowpeaks(["toy-pack"], "20")


@pytest.mark.packs
def test_peaks_of_a_pack_are_the_same_from_its_files_and_from_the_cache(pack_mirror, monkeypatch):
    monkeypatch.setenv("PHENVIZ_MIRROR", str(pack_mirror))
    first = peaks.read_narrowpeaks(["blood16-atac"], "20")
    assert len(first) == 51_908
    assert first["context"].nunique() == 16
    peaks._cached.cache_clear()
    monkeypatch.setattr(peaks, "read_narrowpeak_files", None)
    assert peaks.read_narrowpeaks(["blood16-atac"], "chr20").equals(first)


def test_peaks_are_those_that_were_written_whatever_stands_around_them(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(10):
        start = rng.integers(0, 1_000, 30)
        end = start + rng.integers(1, 500, 30)
        offset = np.where(rng.random(30) < 0.2, -1, rng.integers(0, end - start))
        fold = rng.random(30).round(3)
        lines = [
            f"{rng.choice(['chr20', '20'])}\t{a}\t{b}\tpeak#{i}\t0\t.\t{c}\t1\t1\t{d}"
            for i, (a, b, c, d) in enumerate(zip(start, end, fold, offset, strict=True))
        ]
        lines[5:5] = ["track type=narrowPeak", "browser hide all", "# comment", ""]
        text = str(rng.choice(["\n", "\r\n"])).join(lines)
        (tmp_path / "a.narrowPeak").write_bytes(gzip.compress(text.encode()) if number % 2 else text.encode())
        found = peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"}, "chr20")
        summit = np.where(offset < 0, (start + end) // 2, start + offset)
        expected = sorted(zip(start, end, fold.astype(np.float32), summit, strict=True))
        columns = (found[name] for name in ("start", "end", "fold_enrichment", "summit"))
        assert sorted(zip(*columns, strict=True)) == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("chr20\t9\t2\tp\t0\t.\t1\t1\t1\t1", "line 4: start 9 and end 2 are no interval"),
        ("chr20\t-9\t2\tp\t0\t.\t1\t1\t1\t1", "line 4: start -9 and end 2 are no interval"),
        ("chr20\t1.5\t9\tp\t0\t.\t1\t1\t1\t1", "line 4: start 1.5 and end 9 are no interval"),
        ("chr20\t1\t9\tp\t0\t.\t1\t1\t1\t8", "line 4: the summit's offset 8 isn't inside of the peak"),
        ("chr20\t1\t9\tp\t0\t.\tx\t1\t1\t2", "line 4: the fold enrichment 'x' is no number"),
        ("chr20\t1\t9\tp\t0\t.\t1\t1\t1", "line 4 has 9 columns, the lines before 10"),
        ("chr21\t1\t9\tp", "line 4 has 4 columns, the lines before 10"),
    ],
)
def test_a_peak_that_makes_no_sense_is_refused_with_its_line(tmp_path, line, said):
    (tmp_path / "a.narrowPeak").write_text(_LINES + line + "\n")
    with pytest.raises(DataError, match=rf"a\.narrowPeak can't be read as narrowPeak or BED: {said}"):
        peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"}, "20")


def test_what_a_file_of_peaks_lacks_is_told(tmp_path, caplog):
    (tmp_path / "a.narrowPeak").write_text(_LINES.replace("\t100\n", "\t-1\n"))
    peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"}, "chr20")
    assert "1 of 2 peaks have no summit" in caplog.text
    assert peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"}, "chr9").empty
    assert "a.narrowPeak has no peaks on chr9: its contigs are chr20, chr2" in caplog.text
    (tmp_path / "a.narrowPeak").write_text("track x\n")
    with pytest.raises(DataError, match="it holds no peak"):
        peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"})


TISSUES = ("blood16-atac", "nott2019-brain", "fetal-intestine-dnase")


@pytest.mark.packs
def test_packs_of_several_tissues_make_one_table(pack_mirror, monkeypatch):
    monkeypatch.setenv("PHENVIZ_MIRROR", str(pack_mirror))
    table = peaks.read_narrowpeaks(TISSUES, "20")
    blood = peaks.read_narrowpeaks(["blood16-atac"], "20")
    assert table["context"].nunique() == 21
    assert table[table["context"].isin(blood["context"])].reset_index(drop=True).equals(blood)
    measured, level = signal_of_contexts(table)
    assert measured == set(blood["context"])
    assert level == np.median(blood["fold_enrichment"])


def test_peaks_without_a_signal_count_as_the_median_of_those_with_one():
    fold = {"A": [2.0, 4.0, 9.0], "B": [1.0, 1.0], "C": [3.0, 8.0], "D": [5.0]}
    table = pd.DataFrame([(name, value) for name, own in fold.items() for value in own])
    table.columns = ["context", "fold_enrichment"]
    once = on_one_scale(table)
    assert once["fold_enrichment"].tolist() == [2, 4, 9, 4, 4, 3, 8, 4]
    assert on_one_scale(once).equals(once)
    alone = on_one_scale(table[table["context"] == "B"])
    assert alone["fold_enrichment"].tolist() == pytest.approx([DEFAULT_LEVEL] * 2)

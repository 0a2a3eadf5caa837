import gzip

import pytest

from phenviz.data import packs, peaks
from phenviz.errors import DataError

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


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.narrowPeak").write_text("chr20\t1\t2\n")
    with pytest.raises(DataError, match=r"a\.narrowPeak can't be read as narrowPeak"):
        peaks.read_narrowpeak_files({"Ery": tmp_path / "a.narrowPeak"})


def test_a_pack_that_is_not_here_is_said(toy_pack):
    with pytest.raises(packs.PackMissing):
        peaks.read_narrowpeaks("toy-pack", "20")


@pytest.mark.packs
def test_peaks_of_a_pack_are_the_same_from_its_files_and_from_the_cache(pack_mirror, monkeypatch):
    monkeypatch.setenv("PHENVIZ_MIRROR", str(pack_mirror))
    first = peaks.read_narrowpeaks("blood16-atac", "20")
    assert len(first) == 51_908
    assert first["context"].nunique() == 16
    peaks._cached.cache_clear()
    monkeypatch.setattr(peaks, "read_narrowpeak_files", None)
    assert peaks.read_narrowpeaks("blood16-atac", "chr20").equals(first)

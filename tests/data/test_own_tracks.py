"""Tracks of the user's own: random files against every base of them, and files that don't fit."""

import gzip

import numpy as np
import pandas as pd
import pybigtools
import pytest

from phenviz.data.own_tracks import read_own_track
from phenviz.errors import DataError
from phenviz.genome import Locus

LENGTH = 50_021
CONTIGS = {"20": LENGTH, "21": 9_000, "MT": 16_569}


def random_signal(seed, length=LENGTH):
    """Values of each base, NaN where there is none, and the same as entries of a bigWig."""
    rng = np.random.default_rng(seed)
    values, entries, place = np.full(length, np.nan), [], 0
    while place < length:
        end = min(place + int(rng.integers(1, 80)), length)
        if rng.random() < 0.7:
            value = float(np.float32(rng.normal()))
            values[place:end] = value
            entries.append((place, end, value))
        place = end
    return values, entries


def write_bigwig(path, entries, contig="chr20", **lengths):
    rows = [(contig, *entry) for entry in entries]
    pybigtools.open(str(path), "w").write(lengths or {contig: LENGTH}, iter(rows))
    return path


def _read(path, contigs=CONTIGS):
    return read_own_track(path, contigs, name="own-1", label="mine")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [1, 7, 300])
def test_each_point_is_lowest_mean_and_highest_of_its_bases(tmp_path, seed, count):
    values, entries = random_signal(seed)
    track = _read(write_bigwig(tmp_path / "a.bw", entries, "20" if seed % 2 else "chr20"))
    rng = np.random.default_rng(seed)
    start, end = np.sort(rng.choice(LENGTH + 1, 2, replace=False)).tolist()
    for locus in (Locus("20", start, end), Locus("20", 0, LENGTH), Locus("chr20", LENGTH - 5, LENGTH)):
        points = track.points(locus, count)
        assert points.edges[0] <= locus.start
        assert points.edges[-1] >= locus.end
        for number, (left, right) in enumerate(zip(points.edges, points.edges[1:], strict=False)):
            bases = values[left : min(right, LENGTH)]
            bases = bases[np.isfinite(bases)]
            found = [part[number] for part in (points.low, points.mean, points.high)]
            wanted = [bases.min(), bases.mean(), bases.max()] if len(bases) else [np.nan] * 3
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_contig_without_signal_has_none(tmp_path):
    track = _read(write_bigwig(tmp_path / "a.bw", random_signal(0)[1]))
    assert np.isnan(track.points(Locus("21", 0, 9_000), 50).high).all()


@pytest.mark.parametrize("ending", ["bed", "bed.gz", "narrowPeak", "narrowPeak.gz", "broadPeak"])
@pytest.mark.parametrize("chr_", ["", "chr"])
def test_intervals_of_a_locus_are_those_that_overlap_it(tmp_path, ending, chr_):
    rng = np.random.default_rng(len(ending))
    starts = rng.integers(0, 49_000, 300)
    rows = [
        (f"{chr_}{20 + i % 2}", int(s % (9_000 - 500 if i % 2 else 49_000))) for i, s in enumerate(starts)
    ]
    rows = [(contig, start, start + int(rng.integers(1, 500))) for contig, start in rows]
    more = {"bed": 0, "narrowPeak": 7, "broadPeak": 6}[ending.split(".")[0]]
    folds = rng.random(300).round(3)
    lines = "track name=x\n"
    for number, (row, fold) in enumerate(zip(rows, folds, strict=True)):
        rest = ["1000", ".", str(fold), "1", "1", "0"][: max(more - 1, 0)]
        lines += "\t".join(map(str, [*row, f"peak{number}", *rest])) + "\n"
    path = tmp_path / f"a.{ending}"
    path.write_bytes(gzip.compress(lines.encode()) if ending.endswith("gz") else lines.encode())
    track = _read(path)
    for _ in range(20):
        start, end = np.sort(rng.choice(LENGTH + 1, 2, replace=False)).tolist()
        here = track.within(Locus("20", start, end))
        wanted = {f"peak{i}" for i, (c, s, e) in enumerate(rows) if c[-2:] == "20" and s < end and e > start}
        assert set(here["name"]) == wanted
    if more:
        assert track.measured
        by_name = pd.concat(track.intervals.values()).set_index("name")["fold_enrichment"]
        assert [by_name[f"peak{i}"] for i in range(300)] == pytest.approx(folds)
    else:
        assert not track.measured


@pytest.mark.parametrize("gap", [0.5, 3, 200])
def test_joined_intervals_cover_the_same_and_tell_their_number(tmp_path, gap):
    rng = np.random.default_rng(int(gap))
    starts = np.sort(rng.integers(0, 49_000, 400))
    rows = [(int(start), int(start) + int(rng.integers(1, 60))) for start in starts]
    (tmp_path / "a.bed").write_text("".join(f"20\t{start}\t{end}\n" for start, end in rows))
    track = _read(tmp_path / "a.bed")
    joined = track.within(Locus("20", 0, LENGTH), gap=gap)
    wanted: list[list[int]] = []
    for start, end in sorted(rows):
        if wanted and start < wanted[-1][1] + gap:
            wanted[-1] = [wanted[-1][0], max(wanted[-1][1], end), wanted[-1][2] + 1]
        else:
            wanted.append([start, end, 1])
    assert joined["start"].tolist() == [start for start, _, _ in wanted]
    assert joined["end"].tolist() == [end for _, end, _ in wanted]
    assert joined["name"].tolist() == [f"{n:,} intervals" if n > 1 else "" for _, _, n in wanted]


def test_a_bigwig_of_another_assembly_is_refused(tmp_path):
    path = write_bigwig(tmp_path / "a.bw", [(0, 10, 1.0)], chr20=LENGTH + 1)
    with pytest.raises(DataError, match=r"50,022 bases in contig chr20, the reference 50,021.*same assembly"):
        _read(path)


def test_another_mitochondrion_alone_is_no_other_assembly(tmp_path):
    path = write_bigwig(tmp_path / "a.bw", [(0, 10, 1.0)], chr20=LENGTH, chrMT=16_571)
    assert _read(path).points(Locus("20", 0, 10), 1).mean[0] == 1


def test_an_interval_beyond_the_contig_is_refused(tmp_path):
    (tmp_path / "a.bed").write_text(f"chr20\t10\t{LENGTH}\nchr20\t5\t{LENGTH + 1}\n")
    with pytest.raises(DataError, match=r"ends at 50,022 of contig 20, which has 50,021.*same assembly"):
        _read(tmp_path / "a.bed")


@pytest.mark.parametrize("contig", ["chr7", "scaffold_9"])
def test_a_file_of_other_contigs_is_refused(tmp_path, contig):
    (tmp_path / "a.bed").write_text(f"{contig}\t10\t20\n")
    bigwig = write_bigwig(tmp_path / "a.bw", [(0, 10, 1.0)], contig)
    for path in (tmp_path / "a.bed", bigwig):
        with pytest.raises(DataError, match=r"holds .*, the reference 20, 21, MT: give a file"):
            _read(path)


@pytest.mark.parametrize("damage", ["empty", "head", "half", "text", "holes"])
def test_a_damaged_bigwig_is_one_sentence(tmp_path, damage):
    path = write_bigwig(tmp_path / "a.bw", random_signal(1)[1])
    raw = path.read_bytes()
    third = len(raw) // 3
    path.write_bytes(
        {
            "empty": b"", "head": raw[:100], "half": raw[: len(raw) // 2], "text": b"chr20\t1\t2\t3\n" * 50,
            "holes": raw[:third] + bytes(2_000) + raw[third + 2_000 :],
        }[damage]
    )  # fmt: skip
    with pytest.raises(DataError, match=r"a\.bw can't be read: it is no bigWig file, or damaged"):
        _read(path)


def test_a_file_that_has_gone_is_told(tmp_path):
    track = _read(write_bigwig(tmp_path / "a.bw", random_signal(1)[1]))
    track.path.unlink()
    with pytest.raises(DataError, match="it isn't there any more"):
        track.points(Locus("20", 0, 100), 10)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.bed", "", "it holds no peak"),
        ("a.bed", "chr20\t5\n", "line 1 has 2 columns"),
        ("a.bed", "chr20\t1\t2\nchr20\tx\t9\n", "line 2: start x and end 9"),
        ("a.narrowPeak.gz", "no gzip, no peak", "columns"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        _read(tmp_path / name)

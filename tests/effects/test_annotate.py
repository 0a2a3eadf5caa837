from __future__ import annotations

import errno
import gzip
import re

import cyvcf2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phenviz.effects import common_variants, score_variants
from phenviz.effects.annotate import annotate_vcf, info_key
from phenviz.errors import DataError, ResultError
from phenviz.variation import open_individuals
from tests.effects.toys import write_people


@pytest.fixture
def vcf(toy_world, tmp_path):
    path = tmp_path / "in.vcf"
    write_people(path, toy_world.reference, 9, count=40)
    lines = path.read_text().splitlines()
    records = [index for index, line in enumerate(lines) if not line.startswith("#")]
    fields = lines[records[3]].split("\t")
    fields[4] = f"{fields[4]},<DEL>,{fields[3]}ACG"
    fields[7] = "AF=0.1,0.2,0.3;DB;PV_Ery=9,9,9"
    lines[records[3]] = "\t".join(fields)
    path.write_text("\n".join(lines) + "\n")
    return path


def scorer(world):
    return lambda table: score_variants(table, world.reference, world.backbone)


@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz"])
@pytest.mark.parametrize("chunk", [3, 1_000])
def test_every_line_is_kept_and_gets_the_effect_of_each_allele(toy_world, tmp_path, vcf, suffix, chunk):
    source, target = vcf, tmp_path / f"out{suffix}"
    report = annotate_vcf(source, target, toy_world.reference, scorer(toy_world), chunk=chunk)
    assert report.skipped == {"symbolic": 1}
    before = [line for line in source.read_text().splitlines() if not line.startswith("#")]
    text = gzip.open(target, "rt").read() if suffix == ".vcf.gz" else target.read_text()
    after = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line.split("\t")[:7] for line in after] == [line.split("\t")[:7] for line in before]
    assert [line.split("\t")[8:] for line in after] == [line.split("\t")[8:] for line in before]
    checked = 0
    for variant in cyvcf2.VCF(str(target)):
        values = variant.INFO["PV_Mono"]
        values = values if isinstance(values, tuple) else (values,)
        assert len(values) == len(variant.ALT)
        for alt, value in zip(variant.ALT, values, strict=True):
            if alt.startswith("<"):
                assert value is None or np.isnan(value)
                assert variant.INFO["PV_STATUS"] == "scored,not_scored,scored"
                continue
            table = as_table(variant, alt)
            slow = score_variants(table, toy_world.reference, toy_world.backbone)
            assert value == pytest.approx(float(slow["effect"].sel(context="Mono")[0]), rel=1e-3, abs=5e-6)
            checked += 1
    assert checked == len(before) + 1
    assert "AF=0.1,0.2,0.3;DB;PV_Ery=" in after[3] and "9,9,9" not in after[3]


def as_table(variant, alt):
    row = {"contig": variant.CHROM, "position": variant.POS, "ref": variant.REF, "alt": alt, "id": ""}
    return pd.DataFrame([row])


def test_annotating_twice_replaces_what_the_first_time_wrote(toy_world, tmp_path, vcf):
    once, twice = tmp_path / "once.vcf", tmp_path / "twice.vcf"
    annotate_vcf(vcf, once, toy_world.reference, scorer(toy_world))
    annotate_vcf(once, twice, toy_world.reference, scorer(toy_world))
    assert once.read_text() == twice.read_text()


def test_a_file_without_records_is_annotated_too(toy_world, tmp_path, vcf):
    header = [line for line in vcf.read_text().splitlines() if line.startswith("#")]
    source, target = tmp_path / "none.vcf", tmp_path / "out.vcf"
    source.write_text("\n".join(header) + "\n")
    annotate_vcf(source, target, toy_world.reference, scorer(toy_world))
    assert "##INFO=<ID=PV_Ery," in target.read_text()


def test_nothing_is_left_behind_when_the_file_breaks_off(toy_world, tmp_path, vcf):
    source, target = tmp_path / "broken.vcf", tmp_path / "out.vcf"
    source.write_text(vcf.read_text() + "20\tnowhere\n")
    target.write_text("older")
    with pytest.raises(DataError):
        annotate_vcf(source, target, toy_world.reference, scorer(toy_world))
    assert target.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.vcf", "in.vcf", "out.vcf"]


def test_the_file_itself_and_other_suffixes_are_refused(toy_world, tmp_path, vcf):
    with pytest.raises(ResultError, match="file to be read"):
        annotate_vcf(vcf, vcf, toy_world.reference, scorer(toy_world))
    with pytest.raises(ResultError, match="no VCF"):
        annotate_vcf(vcf, tmp_path / "out.txt", toy_world.reference, scorer(toy_world))


def test_an_annotated_file_still_holds_its_people(toy_world, tmp_path, vcf):
    target = tmp_path / "out.vcf.gz"
    annotate_vcf(vcf, target, toy_world.reference, scorer(toy_world))
    before, after = (
        common_variants(open_individuals(path, toy_world.reference), toy_world.reference)
        for path in (vcf, target)
    )
    assert before.equals(after)


@given(st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=30, unique=True))
def test_info_keys_are_distinct_and_those_of_the_specification(names):
    keys = [info_key(prefix, name) for name in names for prefix in ("PV", "PVQ")]
    assert len({*keys, "PV_STATUS"}) == len(keys) + 1
    assert all(re.fullmatch(r"[A-Za-z_][0-9A-Za-z_.]*", key) for key in keys)


def test_contexts_that_differ_by_a_sign_both_have_their_value(toy_world, tmp_path, vcf):
    names = ["CD8+ T", "CD8- T", "STATUS"]

    def renamed(table):
        scores = scorer(toy_world)(table)
        return scores.assign_coords(context=names)

    target = tmp_path / "out.vcf.gz"
    annotate_vcf(vcf, target, toy_world.reference, renamed)
    keys = [info_key("PV", name) for name in names]
    for variant in cyvcf2.VCF(str(target)):
        if "<DEL>" not in variant.ALT:
            expected = scorer(toy_world)(as_table(variant, variant.ALT[0]))["effect"].values[0]
            np.testing.assert_allclose([variant.INFO[key] for key in keys], expected, rtol=1e-3, atol=5e-6)


def test_keys_of_other_programs_and_bytes_of_other_encodings_pass_through(toy_world, tmp_path, vcf):
    lines = vcf.read_bytes().split(b"\n")
    first = next(index for index, line in enumerate(lines) if not line.startswith(b"#"))
    fields = lines[first].split(b"\t")
    fields[7] = b"PV_OTHER=7;NOTE=caf\xe9"
    lines[first] = b"\t".join(fields)
    lines.insert(1, b'##INFO=<ID=PV_OTHER,Number=1,Type=Float,Description="na\xefve">')
    vcf.write_bytes(b"\n".join(lines))
    once = tmp_path / "once.vcf"
    annotate_vcf(vcf, once, toy_world.reference, scorer(toy_world))
    text = once.read_bytes()
    assert lines[1] in text and b"\tPV_OTHER=7;NOTE=caf\xe9;PV_Ery=" in text


def test_a_full_disk_keeps_the_older_file(toy_world, tmp_path, vcf, monkeypatch):
    target = tmp_path / "out.vcf.gz"
    target.write_text("older")

    def refuse(self, block):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("Bio.bgzf.BgzfWriter._write_block", refuse)
    with pytest.raises(ResultError, match=r"can't write .*No space left on device"):
        annotate_vcf(vcf, target, toy_world.reference, scorer(toy_world))
    assert target.read_text() == "older" and len(list(tmp_path.iterdir())) == 2

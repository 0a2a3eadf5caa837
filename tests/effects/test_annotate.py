from __future__ import annotations

import gzip

import cyvcf2
import numpy as np
import pandas as pd
import pytest

from phenviz.effects import common_variants, score_variants
from phenviz.effects.annotate import annotate_vcf
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

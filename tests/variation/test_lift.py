import gzip

import numpy as np
import pysam
import pytest

from phenviz.data.manifests import find_pack
from phenviz.errors import DataError, SequenceError
from phenviz.genome import ReferenceGenome
from phenviz.variation import read_variants
from phenviz.variation.lift import check_target, lift_alleles
from phenviz.variation.lift_files import lift_bed, lift_vcf
from tests.variation.lift_toys import reversed_strand, toy_lift


def _changed(bases, position, ref, alt):
    assert bases[position - 1 : position - 1 + len(ref)] == ref
    return bases[: position - 1] + alt + bases[position - 1 + len(ref) :]


@pytest.mark.parametrize("seed", range(4))
def test_a_lifted_variant_says_the_same_of_the_sequence_as_before(tmp_path, seed):
    chains, reference, old, new = toy_lift(tmp_path, seed)
    rng = np.random.default_rng(seed)
    lifted = 0
    for _ in range(200):
        first, last, reverse = ((12, 38, False), (47, 78, False), (102, 138, True))[rng.integers(3)]
        start = int(rng.integers(first, last - 4))
        ref = old[start : start + int(rng.integers(1, 4))]
        alt = "".join(rng.choice(list("ACGT"), int(rng.integers(1, 4))))
        if len(alt) != len(ref):
            alt = ref[0] + alt[1:]
        if alt == ref:
            continue
        found = lift_alleles(chains, "chr20", start + 1, [ref, alt], reference)
        assert not isinstance(found, str) and found.reverse is reverse
        # the block with the variant, on the source and on the target
        before = _changed(old, start + 1, ref, alt)[first - 2 : last + 2 + len(alt) - len(ref)]
        whole = _changed(new["20"], found.position, *found.alleles)
        wanted = reversed_strand(before) if reverse else before
        begin = {12: 15, 47: 48, 102: 200}[first]
        assert wanted == whole[begin : begin + len(wanted)]
        lifted += 1
    assert lifted > 100


def test_a_reversed_indel_is_left_aligned_with_the_base_before_it(tmp_path):
    chains, reference, old, new = toy_lift(tmp_path)
    for start in range(101, 138):
        found = lift_alleles(chains, "20", start + 1, [old[start : start + 2], old[start]], reference)
        ref, alt = found.alleles
        assert len(ref) == 2 and alt == ref[0]
        here = found.position - 1
        # no further left: the deleted base differs from the one before it
        assert new["20"][here : here + 2] == ref and ref[0] != ref[1]


def test_several_alleles_and_stars_stay_together(tmp_path):
    chains, reference, old, _ = toy_lift(tmp_path)
    base = old[110]
    others = [one for one in "ACGT" if one != base]
    found = lift_alleles(chains, "20", 111, [base, *others, "*"], reference)
    assert found.position == 230 and found.alleles == (*map(reversed_strand, [base, *others]), "*")


@pytest.mark.parametrize(
    ("position", "alleles", "said"),
    [
        (41, ["A", "C"], "unmapped"),
        (151, ["A", "C"], "ambiguous"),
        (20, ["A", "<DEL>"], "symbolic"),
        (20, ["A", "A[20:30["], "symbolic"),
        (201, ["A", "C"], "beyond_contig"),
    ],
)
def test_what_has_no_one_place_says_why(tmp_path, position, alleles, said):
    chains, reference, *_ = toy_lift(tmp_path)
    assert lift_alleles(chains, "20", position, alleles, reference) == said


def test_an_indel_at_a_gap_of_the_chain_is_not_lifted(tmp_path):
    chains, reference, old, _ = toy_lift(tmp_path)
    # base 39 is the last before the gap: the insertion behind it may be what the target has there
    assert lift_alleles(chains, "20", 40, [old[39], old[39] + "G"], reference) == "split"
    assert lift_alleles(chains, "20", 39, [old[38], old[38] + "G"], reference).position == 44


def test_another_base_on_the_target_is_told_from_a_swap(tmp_path):
    chains, reference, old, _ = toy_lift(tmp_path)
    base = old[20]
    other, third = [one for one in "ACGT" if one != base][:2]
    assert lift_alleles(chains, "20", 21, [other, base], reference) == "swapped"
    assert lift_alleles(chains, "20", 21, [other, third], reference) == "reference_mismatch"
    assert lift_alleles(chains, "20", 21, ["N", third], reference).alleles == ("N", third)


def test_a_chain_file_of_another_target_is_refused(tmp_path):
    chains, _, _, new = toy_lift(tmp_path)
    (tmp_path / "longer.fa").write_text(f">chr20\n{new['20']}A\n")
    (tmp_path / "none.fa").write_text(">chr7\nACGT\n")
    for name, said in (("longer.fa", "300 bases there, and 301"), ("none.fa", "share no contig")):
        reference = ReferenceGenome(tmp_path / name, assembly="x", cache_dir=tmp_path / "c")
        with pytest.raises(SequenceError, match=said):
            check_target(chains, reference)


HEAD = (
    "##fileformat=VCFv4.2\n##reference=old.fa\n##contig=<ID=chr20,length=200>\n"
    '##INFO=<ID=END,Number=1,Type=Integer,Description="End">\n'
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">\n'
    '##INFO=<ID=X,Number=1,Type=Integer,Description="X">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2\n"
)


def _vcf(old):
    def other(base):
        return "ACGT"["ACGT".index(base) - 1]

    rows = [
        (111, old[110], other(old[110]), "AF=0.5"),
        (21, old[20], other(old[20]), "."),
        (22, old[21], ".", "."),
        (26, other(old[25]), old[25], "."),
        (42, old[41], other(old[41]), "X=1"),
        (51, old[50:53], old[50], "END=53"),
        (61, old[60], "<DEL>", "END=70"),
        (156, old[155], other(old[155]), "."),
    ]
    return HEAD + "".join(
        f"chr20\t{position}\tv{number}\t{ref}\t{alt}\t.\tPASS\t{info}\tGT\t"
        + ("0|0\t0|0\n" if alt == "." else "0|1\t1|1\n")
        for number, (position, ref, alt, info) in enumerate(rows)
    )


@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz"])
def test_a_vcf_is_written_in_the_order_of_the_target_with_all_else_as_it_was(tmp_path, suffix):
    chains, reference, old, new = toy_lift(tmp_path)
    source, out, left = (tmp_path / f"{name}{suffix}" for name in ("in", "out", "left"))
    text = _vcf(old)
    source.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    report = lift_vcf(source, out, left, chains, reference)
    assert (report.read, report.lifted, report.reverse) == (8, 4, 1)
    assert dict(report.rejected) == {"swapped": 1, "unmapped": 1, "symbolic": 1, "ambiguous": 1}
    with pysam.VariantFile(str(out)) as opened:
        found = list(opened)
        assert dict(opened.header.contigs.items()).keys() == {"20", "21"}
    assert [(one.pos, one.id) for one in found] == [(26, "v1"), (27, "v2"), (54, "v5"), (230, "v0")]
    for one in found:
        assert new["20"][one.pos - 1 : one.pos - 1 + len(one.ref)] == one.ref
        assert str(one).split("\t", 8)[8] == ("GT\t0|1\t1|1\n" if one.alts else "GT\t0|0\t0|0\n")
    assert found[2].stop == 56 and found[3].info["LIFTED_REVERSE"] and not found[0].info["LIFTED_REVERSE"]
    assert found[0].info["LIFTED_FROM"].startswith("chr20:21:")
    with pysam.VariantFile(str(left)) as opened:
        kept = [(one.pos, one.id, one.info["LIFT_REJECTED"]) for one in opened]
    assert kept == [
        (26, "v3", "swapped"), (42, "v4", "unmapped"), (61, "v6", "symbolic"), (156, "v7", "ambiguous"),
    ]  # fmt: skip
    said = report.describe()
    assert "8 rows read, 4 lifted" in said and "REF and ALT are swapped there" in said


def test_a_broken_line_of_a_vcf_is_named_and_nothing_is_written(tmp_path):
    chains, reference, old, _ = toy_lift(tmp_path)
    (tmp_path / "in.vcf").write_text(_vcf(old) + "chr20\tx\tv\tA\tC\t.\t.\t.\tGT\t0|0\t0|0\n")
    with pytest.raises(DataError, match="line 17: it is no record"):
        lift_vcf(tmp_path / "in.vcf", tmp_path / "out.vcf", tmp_path / "left.vcf", chains, reference)
    assert not list(tmp_path.glob("*out*")) and not list(tmp_path.glob("*left*"))


def test_a_bed_file_turns_strands_over_and_keeps_its_rejects(tmp_path):
    chains, *_ = toy_lift(tmp_path)
    (tmp_path / "in.bed").write_text(
        "track name=x\n# a comment\nchr20\t12\t20\ta\t5\t+\nchr20\t110\t120\tb\t5\t+\n"
        "chr20\t40\t45\tc\t5\t-\nchr20\t70\t110\td\t5\t.\nchr20\t46\t50\te\t0\t+\t47\t49\t0\n"
    )
    report = lift_bed(tmp_path / "in.bed", tmp_path / "out.bed", tmp_path / "left.bed", chains)
    assert (tmp_path / "out.bed").read_text() == (
        "# a comment\nchr20\t17\t25\ta\t5\t+\nchr20\t220\t230\tb\t5\t-\nchr20\t49\t53\te\t0\t+\t49\t53\t0\n"
    )
    left = (tmp_path / "left.bed").read_text().splitlines()
    assert left[1::2] == ["chr20\t40\t45\tc\t5\t-", "chr20\t70\t110\td\t5\t."]
    assert left[0].startswith("# unmapped: ") and left[2].startswith("# split: ")
    assert (report.read, report.lifted, report.reverse) == (5, 3, 1)


def test_the_summit_of_a_peak_stays_on_its_base(tmp_path):
    chains, *_ = toy_lift(tmp_path)
    lines = [f"chr20\t{start}\t{end}\tp\t5\t.\t1.5\t2\t3\t{offset}" for start, end, offset in
             ((12, 20, 3), (110, 120, 3), (10, 20, -1))]  # fmt: skip
    (tmp_path / "in.narrowPeak").write_text("\n".join(lines))
    lift_bed(tmp_path / "in.narrowPeak", tmp_path / "out.bed", tmp_path / "left.bed", chains)
    rows = [line.split("\t") for line in (tmp_path / "out.bed").read_text().splitlines()]
    # 12 + 3 lies at 20; 110 + 3 at 339 - 113 = 226
    assert [int(row[1]) + int(row[9]) for row in rows[:2]] == [20, 226] and rows[2][9] == "-1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("chr20\t20\t20", "line 1: .* is no interval"),
        ("chr20\tx\t20", "is no interval"),
        ("chr20", "is no interval"),
        ("chr20\t10\t40\tg\t0\t+\t10\t40\t0\t2\t5,5,\t0,25,", "BED12"),
    ],
)
def test_what_is_no_bed_is_refused(tmp_path, line, said):
    chains, *_ = toy_lift(tmp_path)
    (tmp_path / "in.bed").write_text(f"{line}\n")
    with pytest.raises(DataError, match=said):
        lift_bed(tmp_path / "in.bed", tmp_path / "out.bed", tmp_path / "left.bed", chains)
    assert not (tmp_path / "out.bed").exists()


def test_a_vcf_without_records_and_a_bcf_are_lifted_too(tmp_path):
    chains, reference, old, _ = toy_lift(tmp_path)
    (tmp_path / "none.vcf").write_text(HEAD)
    report = lift_vcf(tmp_path / "none.vcf", tmp_path / "o.vcf", tmp_path / "r.vcf", chains, reference)
    assert report.read == 0 and (tmp_path / "o.vcf").read_text().count("##contig=") == 2
    (tmp_path / "in.vcf").write_text(_vcf(old))
    with pysam.VariantFile(str(tmp_path / "in.vcf")) as text:
        with pysam.VariantFile(str(tmp_path / "in.bcf"), "wb", header=text.header) as out:
            for record in text:
                out.write(record)
    found = []
    for name in ("in.vcf", "in.bcf"):
        lift_vcf(tmp_path / name, tmp_path / "o.vcf", tmp_path / "r.vcf", chains, reference)
        # htslib leaves an END out that REF says already
        text = (tmp_path / "o.vcf").read_text().replace("END=56;", "")
        found.append([one for one in text.splitlines() if one[0] != "#"])
    assert len(found[0]) == 4 and found[0] == found[1]


@pytest.mark.parametrize(
    ("assembly", "pack"),
    [("GRCh37", "chain-hg38-to-hg19"), ("GRCh38", "chain-hg19-to-hg38"), ("x", "CHAIN_FILE")],
)
def test_a_file_of_another_assembly_is_offered_the_command_that_mends_it(tmp_path, assembly, pack):
    _, reference, old, new = toy_lift(tmp_path)
    reference.assembly = assembly
    others = [(place, base) for place, base in enumerate(old[:150], 1) if new["20"][place - 1] != base]
    alts = [next(one for one in "ACGT" if one not in (base, new["20"][at - 1])) for at, base in others]
    rows = "".join(
        f"20\t{at}\t.\t{base}\t{alt}\t.\t.\t.\n" for (at, base), alt in zip(others, alts, strict=True)
    )
    (tmp_path / "old.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + rows
    )
    with pytest.raises(DataError) as told:
        read_variants(tmp_path / "old.vcf", reference)
    path = tmp_path / "old.vcf"
    assert f"`phenviz lift {path} --chain {pack} -o lifted.vcf.gz`" in str(told.value)
    # a pack that is named can be had
    assert pack == "CHAIN_FILE" or find_pack(pack).files[0].name.endswith(".over.chain.gz")

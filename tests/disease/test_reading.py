from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from phenviz.disease import read_trait_pack, read_trait_variants
from phenviz.disease.summary_statistics import log_bayes_factor
from phenviz.disease.traits import TraitReport, assign_loci
from phenviz.errors import DataError

_OTHER = str.maketrans("ACGT", "TGCA")


def _base(world, position, length=1):
    return "".join("ACGTN"[c] for c in world.reference.fetch_codes("20", position - 1, position - 1 + length))


def _rows(world, count=40, seed=0):
    rng = np.random.default_rng(seed)
    position = np.sort(rng.choice(np.arange(1_000, 390_000), count, replace=False))
    ref = [_base(world, int(p)) for p in position]
    alt = [str(rng.choice([b for b in "ACGT" if b != r])) for r in ref]
    return pd.DataFrame(
        {
            "trait": "height",
            "chromosome": "chr20",
            "pos": position,
            "ref": ref,
            "alt": alt,
            "pip": rng.random(count),
            "beta": rng.normal(size=count),
            "se": 0.1,
        }
    )


@pytest.mark.parametrize("kind", ["tsv", "csv", "txt", "tsv.gz", "parquet"])
def test_one_table_reads_alike_in_every_format(world, tmp_path, kind):
    table, path = _rows(world), tmp_path / f"my.{kind}"
    if kind == "parquet":
        table.to_parquet(path)
    else:
        text = table.to_csv(sep={"csv": ",", "txt": " "}.get(kind, "\t"), index=False)
        path.write_bytes(gzip.compress(text.encode()) if kind.endswith("gz") else text.encode())
    found = read_trait_variants(path, world.reference)
    assert found.traits == ["height"] and found.report.read == found.report.kept == 40
    np.testing.assert_array_equal(found.table["position"], table["pos"])
    np.testing.assert_allclose(found.table["posterior"], table["pip"])
    np.testing.assert_allclose(found.table["z"], table["beta"] / 0.1)


def test_swapped_and_flipped_alleles_are_mended_and_counted(world, tmp_path):
    table = _rows(world, 60)
    transversion = [
        (r, a) for r, a in zip(table["ref"], table["alt"], strict=True) if a != r.translate(_OTHER)
    ]
    assert len(transversion) > 10
    swap = table.index[:10]
    turnable = table.index[10:][(table["alt"] != table["ref"].str.translate(_OTHER))[10:]][:5]
    changed = table.copy()
    changed.loc[swap, ["ref", "alt"]] = table.loc[swap, ["alt", "ref"]].to_numpy()
    for column in ("ref", "alt"):
        changed.loc[turnable, column] = table.loc[turnable, column].str.translate(_OTHER)
    changed.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "t.tsv", world.reference)
    assert found.report.changed == {"swapped_alleles": 10, "strand_flipped": 5}
    pd.testing.assert_series_equal(found.table["ref"], table["ref"], check_names=False, check_dtype=False)
    pd.testing.assert_series_equal(found.table["alt"], table["alt"], check_names=False, check_dtype=False)
    np.testing.assert_allclose(found.table["beta"][swap], -table["beta"][swap])
    np.testing.assert_allclose(found.table["beta"][turnable], table["beta"][turnable])


def test_what_is_left_over_from_a_lift_over_is_named_and_left_out(world, tmp_path):
    table = _rows(world, 50)
    odd = table.index[table["alt"] == table["ref"].str.translate(_OTHER)][0]
    place = next(
        p for p in range(5_000, 9_000) if _base(world, p) not in (table["ref"][odd], table["alt"][odd])
    )
    table.loc[odd, "pos"] = place
    table.loc[50] = ["height", "7", 5_000, "A", "C", 0.5, 0.1, 0.1]
    table.loc[51] = ["height", "20", 900_000, "A", "C", 0.5, 0.1, 0.1]
    table.loc[52] = ["height", "20", 5_000, "A", "<DEL>", 0.5, 0.1, 0.1]
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    report = read_trait_variants(tmp_path / "t.tsv", world.reference).report
    assert report.skipped == {
        "other_contig": 1, "outside_contig": 1, "no_bases": 1, "reference_mismatch": 1,
    }  # fmt: skip
    assert f"20:{place}" in report.describe() and "chr7" in report.describe()
    assert report.kept == 49


def test_traits_of_which_nothing_is_left_are_named(world, tmp_path):
    table = _rows(world)
    table.loc[len(table)] = ["weight", "7", 5_000, "A", "C", 0.5, 0.1, 0.1]
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "t.tsv", world.reference)
    assert found.traits == ["height"] and found.report.absent == ["weight"]


def test_a_file_of_another_assembly_is_refused(world, tmp_path):
    table = _rows(world, 300)
    table["pos"] = np.random.default_rng(5).integers(1_000, 390_000, 300)
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match="another assembly: lift it over to small1"):
        read_trait_variants(tmp_path / "t.tsv", world.reference)


def test_positions_that_count_from_0_are_noticed(world, tmp_path):
    table = _rows(world, 300)
    table["pos"] -= 1
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match="1-based"):
        read_trait_variants(tmp_path / "t.tsv", world.reference)


def test_a_file_on_the_other_strand_keeps_its_single_base_changes(world, tmp_path):
    table = _rows(world, 100)
    for column in ("ref", "alt"):
        table[column] = [allele.translate(_OTHER) for allele in table[column]]
    table.loc[:4, "alt"] = table.loc[:4, "ref"] + "GGT"
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    report = read_trait_variants(tmp_path / "t.tsv", world.reference).report
    assert report.kept >= 95 and report.skipped.get("reference_mismatch", 0) <= 5
    assert report.changed["strand_flipped"] > 40


def test_a_few_variants_that_fit_nowhere_as_written_bring_a_warning(world, tmp_path):
    table = _rows(world, 8)
    for column in ("ref", "alt"):
        table[column] = [allele.translate(_OTHER) for allele in table[column]]
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    described = read_trait_variants(tmp_path / "t.tsv", world.reference).report.describe()
    assert "make sure that the positions are of small1 and count from 1" in described


def test_bed_columns_count_from_0(world, tmp_path):
    table = _rows(world).rename(columns={"chromosome": "#chrom", "pos": "end"})
    table.insert(1, "start", table["end"] - 1)
    table.drop(columns="trait").to_csv(tmp_path / "fine mapped.bed", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "fine mapped.bed", world.reference)
    assert found.report.kept == 40 and found.table["position"].tolist() == table["end"].tolist()
    assert found.report.changed == {} and found.traits == ["fine mapped"]


def test_a_count_without_examples_shows_no_empty_brackets():
    report = TraitReport("x")
    report.count("skipped", "outside_significant_loci", ["", ""])
    assert report.describe().endswith("left out: 2 outside significant loci")


def test_a_variant_without_alleles_keeps_its_place(world, tmp_path):
    _rows(world)[["trait", "chromosome", "pos", "pip"]].to_csv(tmp_path / "p.tsv", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "p.tsv", world.reference)
    assert (found.table["alt"] == "N").all() and found.report.changed == {"alternate_unknown": 40}


@pytest.mark.parametrize(
    ("column", "row", "value", "says"),
    [
        ("pip", 3, "1.7", "line 5, column 'posterior': it is 1.7, no probability"),
        ("pip", 0, "", "line 2, column 'posterior': it is missing"),
        ("pos", 7, "abc", "line 9, column 'position': 'abc' is no number"),
        ("pos", 2, "", "line 4: contig or position is missing"),
        ("beta", 1, "x", "line 3, column 'beta': 'x' is no number"),
    ],
)
def test_a_bad_cell_is_named_with_its_line_and_column(world, tmp_path, column, row, value, says):
    table = _rows(world).astype(object)
    table.loc[row, column] = value
    table.to_csv(tmp_path / "bad.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match=says):
        read_trait_variants(tmp_path / "bad.tsv", world.reference)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("trait\tchr\tpos\tref\talt\tpip\n", "holds no row"),
        ("x\ty\n1\t2\n", "no column of its header is known"),
        ("rsid\tpip\nrs1\t0.5\n", "go by name only"),
        ("chr\tpos\tref\talt\n20\t5000\tA\tC\n", "neither posteriors .* nor beta"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_with_the_fix(world, tmp_path, content, says):
    (tmp_path / "no.tsv").write_text(content)
    with pytest.raises(DataError, match=says):
        read_trait_variants(tmp_path / "no.tsv", world.reference)
    with pytest.raises(DataError, match="doesn't exist"):
        read_trait_variants(tmp_path / "missing.tsv", world.reference)


def test_outputs_of_fine_mapping_programs_are_read(world, tmp_path):
    table = _rows(world, 6)
    names = [f"20:{r.pos}_{r.ref}_{r.alt}" for r in table.itertuples()]
    (tmp_path / "x_post").write_text(
        "SNP_ID\tProb_in_pCausalSet\tCausal_Post._Prob.\n" + "".join(f"{n}\t0.2\t0.3\n" for n in names)
    )
    caviar = read_trait_variants(tmp_path / "x_post", world.reference)
    np.testing.assert_allclose(caviar.table["posterior"], 0.3)
    susie = "variable\tvariable_prob\tcs\n" + "".join(
        f"{n}\t0.4\t{i % 2 or -1}\n" for i, n in enumerate(names)
    )
    (tmp_path / "susie.tsv").write_text(susie)
    assert len(read_trait_variants(tmp_path / "susie.tsv", world.reference).table) == 6
    cred = "# Post-Pr(# of causal SNPs is 2) = 0.9\nindex cred1 prob1 cred2 prob2\n"
    cred += f"1 {names[0]} 0.8 {names[2]} 0.6\n2 {names[1]} 0.2 NA NA\n"
    (tmp_path / "f.cred2").write_text(cred)
    finemap = read_trait_variants(tmp_path / "f.cred2", world.reference, trait="LDL")
    assert finemap.traits == ["LDL"] and finemap.table["locus"].nunique() == 2
    assert sorted(finemap.table["posterior"]) == [0.2, 0.6, 0.8]
    snp = "index rsid chromosome position allele1 allele2 maf beta se z prob log10bf\n"
    snp += "".join(
        f"{i} rs{i} 20 {r.pos} {r.alt} {r.ref} 0.3 0.1 0.05 2 0.5 1\n"
        for i, r in enumerate(table.itertuples())
    )
    (tmp_path / "f.snp").write_text(snp)
    assert len(read_trait_variants(tmp_path / "f.snp", world.reference).table) == 6


def test_summary_statistics_are_fine_mapped_by_bayes_factors(world, tmp_path):
    table = _rows(world, 200)
    near = (table["pos"] - 200_000).abs() < 90_000
    se, beta = np.full(200, 0.02), np.where(near, 0.13, 0.0)
    beta[(near.to_numpy()).argmax()] = 0.18
    gwas = pd.DataFrame(
        {
            "chromosome": 20,
            "base_pair_location": table["pos"],
            "effect_allele": table["alt"],
            "other_allele": table["ref"],
            "beta": beta,
            "standard_error": se,
        }
    )
    gwas.to_csv(tmp_path / "GCST1.tsv", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "GCST1.tsv", world.reference)
    assert found.traits == ["GCST1"]
    assert abs(found.table["posterior"].sum() - 1) < 0.05
    assert int(found.table.loc[found.table["posterior"].idxmax(), "position"]) == int(
        table["pos"][near.argmax()]
    )
    gwas.assign(beta=0.001).to_csv(tmp_path / "weak.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match="no locus to fine-map"):
        read_trait_variants(tmp_path / "weak.tsv", world.reference)


def test_bayes_factor_is_the_ratio_of_two_normal_densities():
    from scipy.stats import norm

    beta, se = np.array([0.3, -0.1, 0.0]), np.array([0.05, 0.08, 0.02])
    ratio = norm.logpdf(beta, 0, np.sqrt(se**2 + 0.15**2)) - norm.logpdf(beta, 0, se)
    np.testing.assert_allclose(log_bayes_factor(beta, se, 0.15), ratio)


def test_loci_are_clumps_round_the_largest_posteriors():
    table = pd.DataFrame(
        {
            "trait": "t", "region": "", "contig": "20", "posterior": [0.9, 0.2, 0.8, 0.1, 0.3],
            "position": [1_000_000, 1_200_000, 1_300_000, 1_560_000, 3_000_000],
        }
    )  # fmt: skip
    locus = assign_loci(table)["locus"].tolist()
    assert locus == ["20:1000000", "20:1000000", "20:1300000", "20:1560000", "20:3000000"]


@pytest.mark.packs
def test_packs_are_read_whole_and_what_lies_elsewhere_is_counted():
    import phenviz
    from phenviz.data.packs import has_pack

    for pack in ("ukbb-blood-finemap", "pics-39-traits"):
        if not has_pack(pack):
            pytest.skip(f"data pack {pack} is neither in a mirror nor in the cache")
    reference = phenviz.open_world().reference
    blood = read_trait_pack("ukbb-blood-finemap", reference)
    assert len(blood.table) == 4_369 and len(blood.variants()) == 3_390
    # its fine-mapping regions overlap, and one insertion stands there in two forms
    assert blood.report.skipped["listed_twice"] == 102
    assert blood.report.changed == {"left_aligned_or_trimmed": 1}
    share = blood.summary().set_index("trait")["share"]
    assert share["MCHC"] == 0 and 0.04 < share["MPV"] < 0.05
    pics = read_trait_pack("pics-39-traits", reference)
    assert len(pics.table) == 220 and pics.report.changed == {"alternate_unknown": 220}


def test_effects_of_plink_are_of_its_counted_allele(world, tmp_path):
    table = _rows(world).rename(columns={"chromosome": "#CHROM", "pos": "POS", "ref": "REF", "alt": "ALT"})
    # --glm counts the minor allele, which may be the reference
    of_reference = np.arange(len(table)) % 3 == 0
    table["A1"] = table["ALT"].where(~of_reference, table["REF"])
    table.to_csv(tmp_path / "x.glm.linear.tsv", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "x.glm.linear.tsv", world.reference)
    assert found.report.changed["swapped_alleles"] == of_reference.sum()
    assert found.table["alt"].tolist() == table["ALT"].tolist()
    np.testing.assert_allclose(found.table["beta"], table["beta"].where(~of_reference, -table["beta"]))


def test_effects_of_saige_are_of_its_second_allele(world, tmp_path):
    table = _rows(world).assign(AF_Allele2=0.3)
    named = table.rename(columns={"ref": "Allele1", "alt": "Allele2", "chromosome": "CHR", "pos": "POS"})
    named.to_csv(tmp_path / "saige.tsv", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "saige.tsv", world.reference)
    assert found.table["alt"].tolist() == table["alt"].tolist() and not found.report.changed
    np.testing.assert_allclose(found.table["beta"], table["beta"])


@pytest.mark.packs
def test_traits_of_three_biobanks_are_read_with_alleles_and_counted_once_per_trait():
    import phenviz
    from phenviz.data.packs import has_pack, require_pack

    if not has_pack("finemap-three-biobanks"):
        pytest.skip("data pack finemap-three-biobanks is neither in a mirror nor in the cache")
    reference = phenviz.open_world().reference
    found = read_trait_pack("finemap-three-biobanks", reference)
    raw = pd.read_csv(
        require_pack("finemap-three-biobanks", "STable_high_pip_pairs.tsv"), sep="\t", dtype=str
    )
    raw = raw[raw["variant"].str.startswith("20:")]
    assert len(found.traits) == raw["trait"].nunique() == 57
    assert len(found.variants()) == raw["variant"].nunique() == 93
    assert len(found.table) == len(raw[["trait", "variant"]].drop_duplicates())
    highest = raw.assign(pip=raw["pip"].astype(float)).groupby(["trait", "variant"])["pip"].max()
    names = ["contig", "position", "ref", "alt"]
    read = found.table.assign(variant=found.table[names].astype(str).agg(":".join, axis=1))
    read = read.set_index(["trait", "variant"])
    np.testing.assert_allclose(read["posterior"], highest.loc[read.index], rtol=1e-6)
    assert read.loc[("LDLC", "20:43042364:C:T"), "beta"] < 0
    assert set(found.table["contig"]) == {"20"}

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from phenviz.errors import DataError, LocusError
from phenviz.genome import Annotation, Locus, annotation_files, read_bands, read_elements, read_genes
from tests.toys import GENES

GTF = """#!genome-build toy
20\tx\tgene\t101\t200\t.\t-\t.\tgene_id "E1.2"; gene_name "ABC"; gene_type "protein_coding";
20\tx\texon\t181\t200\t.\t-\t.\tgene_id "E1.2"; transcript_id "T1"; gene_name "ABC";
20\tx\texon\t101\t120\t.\t-\t.\tgene_id "E1.2"; transcript_id "T1"; gene_name "ABC";
20\tx\texon\t101\t190\t.\t-\t.\tgene_id "E1.2"; transcript_id "T2"; gene_name "ABC"; tag "Ensembl_canonical";
21\tx\texon\t11\t20\t.\t+\t.\tgene_id "E2"; transcript_id "T3";
"""
GFF3 = """##gff-version 3
20\tx\tgene\t101\t200\t.\t+\t.\tID=gene:E1;Name=ABC;gene_id=E1
20\tx\tmRNA\t101\t200\t.\t+\t.\tID=transcript:T1;Parent=gene:E1
20\tx\texon\t101\t120\t.\t+\t.\tParent=transcript:T1;Name=x1
20\tx\texon\t181\t200\t.\t+\t.\tParent=transcript:T1;Name=x2
20\tx\tmRNA\t101\t150\t.\t+\t.\tID=transcript:T2;Parent=gene:E1
20\tx\texon\t101\t110\t.\t+\t.\tParent=transcript:T2;Name=x3
"""
BED12 = "chr20\t100\t200\tABC\t0\t-\t100\t200\t0\t2\t20,20,\t0,80,\n"


def _gene(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return Annotation(read_genes(tmp_path / name)).gene("abc")


def test_gtf_takes_the_canonical_transcript(tmp_path):
    gene = _gene(tmp_path, "a.gtf", GTF)
    assert gene.locus == Locus("20", 100, 190, "-")
    assert (gene.tss, gene.exons, gene.gene_id) == (189, ((100, 190),), "E1.2")


def test_gtf_without_a_symbol_goes_by_the_stable_id(tmp_path):
    (tmp_path / "a.gtf").write_text(GTF)
    assert Annotation(read_genes(tmp_path / "a.gtf")).gene("E2").name == "E2"


def test_stable_ids_are_known_with_and_without_version(tmp_path):
    (tmp_path / "a.gtf").write_text(GTF)
    annotation = Annotation(read_genes(tmp_path / "a.gtf"))
    assert annotation.gene("e1").name == annotation.gene("E1.2").name == "ABC"


def test_an_ensembl_id_of_another_version_is_known(tmp_path):
    (tmp_path / "a.gtf").write_text(GTF.replace("E1.2", "ENSG1.2").replace("E2", "ENSG2"))
    annotation = Annotation(read_genes(tmp_path / "a.gtf"))
    assert annotation.gene("ensg1.7").name == "ABC"
    assert annotation.gene("ENSG2.1").gene_id == "ENSG2"


def test_gff3_takes_the_longest_transcript(tmp_path):
    gene = _gene(tmp_path, "a.gff3", GFF3)
    assert gene.exons == ((100, 120), (180, 200))
    assert (gene.tss, gene.gene_id) == (100, "E1")


def test_gtf_finds_the_canonical_tag_among_several(tmp_path):
    many = 'tag "basic"; tag "MANE_Select"; tag "Ensembl_canonical"; note "a # sign"; tag "last";'
    text = GTF.replace('tag "Ensembl_canonical";', many)
    assert _gene(tmp_path, "a.gtf", text).exons == ((100, 190),)


def test_gff3_follows_a_tag_of_the_transcript_and_decodes_names(tmp_path):
    text = GFF3.replace("Name=ABC", "Name=A%2CBC;description=a # sign")
    text = text.replace("ID=transcript:T2;", "ID=transcript:T2;tag=basic,Ensembl_canonical;")
    (tmp_path / "a.gff3").write_text(text)
    gene = Annotation(read_genes(tmp_path / "a.gff3")).gene("A,BC")
    assert gene.exons == ((100, 110),)


@pytest.mark.parametrize("tag", ["MANE Select", "RefSeq Select"])
def test_the_selected_transcript_of_refseq_wins_over_a_longer_model(tmp_path, tag):
    ids = 'gene_id "ABC"; transcript_id "{}"; gene "ABC";'
    lines = [("101", "190", ids.format("NM_1") + f' tag "{tag}";'), ("101", "300", ids.format("XM_2"))]
    gtf = "".join(f"20\tx\texon\t{start}\t{end}\t.\t+\t.\t{text}\n" for start, end, text in lines)
    assert _gene(tmp_path, "a.gtf", gtf).exons == ((100, 190),)
    gff = GFF3.replace("ID=transcript:T2;", f"ID=transcript:T2;tag={tag};")
    assert _gene(tmp_path, "a.gff3", gff).exons == ((100, 110),)


def test_a_tag_of_the_transcript_s_own_line_counts_in_a_gtf(tmp_path):
    ids = 'gene_id "ABC"; transcript_id "NM_1"; tag "MANE Select";'
    text = f"20\tx\ttranscript\t101\t120\t.\t+\t.\t{ids}\n"
    text += '20\tx\texon\t101\t120\t.\t+\t.\tgene_id "ABC"; transcript_id "NM_1";\n'
    text += '20\tx\texon\t101\t300\t.\t+\t.\tgene_id "ABC"; transcript_id "XM_2";\n'
    assert _gene(tmp_path, "a.gtf", text).exons == ((100, 120),)


def test_symbols_and_ids_of_refseq_are_those_that_people_know(tmp_path):
    line = '20\tx\texon\t101\t200\t.\t+\t.\tgene_id "ABC_1"; transcript_id "NM_1"; gene "ABC";\n'
    gene = _gene(tmp_path, "a.gtf", line)
    assert (gene.name, gene.gene_id) == ("ABC", "ABC_1")
    text = GFF3.replace("gene:E1", "gene-ABC").replace(";gene_id=E1", ";gene=ABC")
    assert _gene(tmp_path, "a.gff3", text).gene_id == "ABC"


def test_transcripts_that_ucsc_calls_genes_are_joined_by_name_where_they_overlap(tmp_path):
    line = '{}\tx\texon\t{}\t{}\t.\t{}\t.\tgene_id "{}"; transcript_id "{}"; gene_name "ABC";\n'
    places = [
        ("20", 101, 200, "+", "T1"), ("20", 150, 400, "+", "T2"), ("20", 390, 420, "+", "T3"),
        ("20", 120, 180, "-", "T4"), ("20", 9_001, 9_100, "+", "T5"), ("21", 101, 200, "+", "T6"),
    ]  # fmt: skip
    rows = [line.format(*place, place[-1]) for place in places]
    (tmp_path / "a.gtf").write_text("".join(rows))
    genes = read_genes(tmp_path / "a.gtf").sort_values("gene_id")
    assert genes["gene_id"].tolist() == ["T1", "T4", "T5", "T6"]
    assert genes["start"].tolist() == [149, 119, 9_000, 100]
    (tmp_path / "b.gtf").write_text("".join(row.replace(' gene_name "ABC";', "") for row in rows))
    assert len(read_genes(tmp_path / "b.gtf")) == 6


def test_bed12_may_say_how_to_draw_it(tmp_path):
    drawn = "browser position chr20:1-100\ntrack name=genes description=x\n#\n\n" + BED12
    assert _gene(tmp_path, "a.bed", drawn).exons == ((100, 120), (180, 200))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.gtf", GTF.replace("181\t200", "200\t181"), "a.gtf, line 3: start 200 and end 181"),
        ("a.gtf", GTF.replace("181\t200", "x\t200"), "a.gtf, line 3: start x and end 200"),
        ("a.gff3", GFF3.replace("exon\t101", "exon\t0"), "a.gff3, line 4: start 0 and end 120"),
        (
            "a.bed",
            BED12 + BED12.replace("100\t200\tABC", "300\t200\tABC"),
            "a.bed, line 2: start 300 and end",
        ),
        ("a.bed", "track x\n" + BED12.replace("20,20,", "20,"), "a.bed, line 2: lists of 1 and 2 exons"),
        ("chr20.tsv", GENES.replace("6300,9000,", "6300,"), "chr20.tsv, line 2: lists of 2 and 1 exons"),
        ("a.bed", BED12.replace("0,80,", "0,x,"), "a.bed, line 1: '20,20,' and '0,x,' are no lists of exons"),
        ("a.bed", BED12.replace("0,80,", "0,90,"), "a.bed, line 1: an exon .block. is empty or leaves"),
        ("a.bed", BED12 + "20\t1\t2\n", "a.bed, line 2: 3 columns"),
        ("a.gtf", GTF.replace("181\t200", "181.5\t200"), "a.gtf, line 3: start 181.5 and end 200"),
        (
            "a.gtf",
            GTF.replace('ABC";\n20', 'ABC";20'),
            "a.gtf, line 3: 25 columns, where GTF",
        ),
        ("a.gtf", GTF.replace("181\t200", "181\t" + "9" * 30), "a.gtf, line 3: start 181 and end 9999"),
        ("a.gtf", GTF[: GTF.index("181") + 5], "a.gtf, line 3: 5 columns, where GTF and GFF3 have 9"),
        ("a.gtf", GTF[: GTF.index("T1") + 1], "a.gtf, line 3: a quote of its attributes isn't closed"),
        (
            "chr20.tsv",
            GENES.replace("\t100\t5000", "\t100"),
            "chr20.tsv, line 5: 7 of the columns contig, gene",
        ),
        ("chr20.tsv", GENES.replace("100\t5000", "5000\t100"), "chr20.tsv, line 5: start 5000 and end 100"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_with_its_number(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        read_genes(tmp_path / name)


@pytest.mark.parametrize("name", ["a.gtf", "a.gtf.gz"])
def test_genes_of_a_large_file_are_kept_until_it_changes(tmp_path, monkeypatch, name):
    monkeypatch.setattr(annotation_files, "_CACHED_BYTES", 1)
    write = gzip.compress if name.endswith(".gz") else bytes
    path, kept = tmp_path / name, tmp_path / "kept"
    path.write_bytes(write(GTF.encode()))
    first = read_genes(path, cache_dir=kept)
    with monkeypatch.context() as patch:
        patch.setattr(annotation_files, "read_gtf", lambda path: pytest.fail("read again"))
        again = read_genes(path, cache_dir=kept)
    assert Annotation(again).gene("ABC") == Annotation(first).gene("ABC")
    path.write_bytes(write(GTF.replace("ABC", "XYZ").encode() + b"\n"))
    assert Annotation(read_genes(path, cache_dir=kept)).gene("xyz").gene_id == "E1.2"
    for file in (kept / "annotations").iterdir():
        file.write_bytes(b"damaged")
    assert Annotation(read_genes(path, cache_dir=kept)).gene("xyz").gene_id == "E1.2"


def test_many_genes_keep_their_own_exons(tmp_path):
    rng = np.random.default_rng(2)
    lines, expected = [], {}
    for gene in range(60):
        best = (-1, [])
        for transcript in range(rng.integers(1, 4)):
            cuts = np.sort(rng.choice(np.arange(1, 5_000), 2 * rng.integers(1, 6), replace=False))
            exons = cuts.reshape(-1, 2)
            best = max(best, ((exons[:, 1] - exons[:, 0]).sum(), exons.tolist()), key=lambda pair: pair[0])
            for start, end in rng.permutation(exons):
                ids = f'gene_id "E{gene}"; transcript_id "{gene}.{transcript}";'
                lines.append(f"20\tx\texon\t{start + 1}\t{end}\t.\t+\t.\t{ids}")
        expected[f"E{gene}"] = tuple(map(tuple, best[1]))
    (tmp_path / "a.gtf").write_text("\n".join(rng.permutation(lines)) + "\n")
    annotation = Annotation(read_genes(tmp_path / "a.gtf"))
    assert {name: annotation.gene(name).exons for name in expected} == expected


def test_bed12_blocks_are_exons(tmp_path):
    gene = _gene(tmp_path, "a.bed", BED12)
    assert gene.exons == ((100, 120), (180, 200))
    assert gene.tss == 199


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.bed", "20\t1\t2\n", "3 columns, where BED12 has 12"),
        ("a.txt", "x", "give a .gtf, .gff3, .bed"),
        ("a.gtf", '20\tx\tgene\t1\t5\t.\t+\t.\tgene_id "E";\n', "holds no gene with exons|can't be read"),
        ("chrom.tsv", "nothing\there\n", "chrom.tsv lacks the columns start, end, strand"),
    ],
)
def test_a_wrong_annotation_is_refused_in_words(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        read_genes(tmp_path / name)


def test_a_symbol_in_the_case_that_it_is_written_in_comes_first(tmp_path):
    line = '20\tx\texon\t{0}\t{0}0\t.\t+\t.\tgene_id "{1}"; transcript_id "t";\n'
    (tmp_path / "fly.gtf").write_text(line.format(100, "Dl") + line.format(200, "dl") + line.format(300, "N"))
    annotation = Annotation(read_genes(tmp_path / "fly.gtf"))
    assert [annotation.gene(name).name for name in ("Dl", "dl", "DL", "n")] == ["Dl", "dl", "Dl", "N"]


def test_a_gene_may_be_called_na(tmp_path):
    table = GENES.replace("ALPHA", "NA").replace("BETA", "nan")
    (tmp_path / "genes.tsv").write_text("# made by hand\n" + table.replace("\n", "\r\n"))
    annotation = Annotation(read_genes(tmp_path / "genes.tsv"))
    assert [annotation.gene(name).tss for name in ("NA", "nan")] == [6_000, 14_999]


def test_copies_of_a_name_in_a_bed12_are_counted(tmp_path):
    far = BED12.replace("100\t200", "900\t1000")
    (tmp_path / "a.bed").write_text(BED12 + far)
    genes = read_genes(tmp_path / "a.bed")
    assert genes["start"].tolist() == [100]
    assert "a.bed: 1 line repeats a name" in genes.attrs["notes"][0]


def test_an_unknown_gene_gets_the_nearest_names(toy_world):
    with pytest.raises(LocusError, match="did you mean GAMMA1"):
        toy_world.annotation.gene("gamma")


@pytest.mark.parametrize("typed", ["rs1", "RS44", "chrX", "chr7", "21"])
def test_no_gene_is_offered_for_what_is_an_rsid_or_a_contig(typed):
    named = ["RS1P", "RSPO4", "CHRNA4", "CHRX1", "21A"]
    genes = pd.DataFrame(
        [["20", 0, 9, "+", name, "", [0], [9]] for name in named],
        columns=["contig", "start", "end", "strand", "gene_name", "gene_id", "exon_starts", "exon_ends"],
    )
    assert Annotation(genes).nearest_names(typed) == []


def test_genes_in_a_locus_share_a_base_with_it(toy_world):
    names = toy_world.annotation.genes_in(Locus("chr20", 8_999, 9_000))["gene_name"]
    assert list(names) == ["ALPHA", "BETA"]
    assert toy_world.annotation.genes_in(Locus("20", 40_000, 41_000)).empty


def test_elements_and_bands_of_a_locus(tmp_path):
    (tmp_path / "remo.tsv").write_text(
        "start\tend\tremo\tcell_types\n10\t20\ta\tT|B\n30\t40\tb\t\n100\t120\tc\tNK\n"
    )
    (tmp_path / "bands.tsv").write_text("chr20\t0\t50\tp13\tgneg\nchr20\t50\t90\tp12\tgpos75\n")
    genes = pd.DataFrame(
        [["20", 0, 9, "+", "A", "", [0], [9]]],
        columns=["contig", "start", "end", "strand", "gene_name", "gene_id", "exon_starts", "exon_ends"],
    )
    annotation = Annotation(
        genes, read_bands(tmp_path / "bands.tsv"), read_elements(tmp_path / "remo.tsv", "20")
    )
    assert list(annotation.elements_in(Locus("chr20", 19, 31))["name"]) == ["a", "b"]
    assert annotation.elements_in(Locus("20", 20, 30)).empty
    assert annotation.elements_in(Locus("21", 0, 100)).empty
    assert list(annotation.bands("20")["name"]) == ["p13", "p12"]


def test_a_gene_is_found_by_its_key_though_another_has_its_symbol(tmp_path):
    line = '20\tx\texon\t{0}\t{1}\t.\t+\t.\tgene_id "{2}"; transcript_id "{2}"; gene_name "Y_RNA";\n'
    (tmp_path / "twice.gtf").write_text(line.format(101, 200, "E7") + line.format(901, 950, "E8"))
    annotation = Annotation(read_genes(tmp_path / "twice.gtf"))
    first, second = annotation.gene("E7"), annotation.gene("E8")
    assert (annotation.key_of(first), annotation.key_of(second)) == ("Y_RNA", "E8")
    assert annotation.gene(annotation.key_of(second)).tss == 900

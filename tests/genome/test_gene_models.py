from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from phenviz.errors import DataError
from phenviz.genome import Annotation, read_genes

CASES = Path(__file__).parents[1] / "cases" / "annotation"
ODD = ["a;b", "x=1", "p,q", "it's", "50% of", "ü", "# 1", "a  b", "gene_id", "Parent=t1", "tag canonical"]


def _line(kind, start, end, attributes, *, contig="20", strand="+"):
    return f"{contig}\tx\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t.\t{attributes}\n"


def _read(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    return read_genes(tmp_path / name)


def _table(genes):
    """Return a table of genes as plain values, by contig, start and id."""
    rows = [
        (*row[:6], tuple(row.exon_starts.tolist()), tuple(row.exon_ends.tolist()))
        for row in genes.itertuples(index=False)
    ]
    return sorted(rows, key=lambda row: (row[0], row[1], row[5]))


def _random_genes(rng):
    """Return genes with 1 to 3 transcripts: (contig, strand, id, symbol, [(id, canonical, exons)])."""
    genes = []
    for number in range(40):
        transcripts = []
        for copy in range(rng.integers(1, 4)):
            cuts = np.sort(rng.choice(np.arange(1, 9_000), 2 * rng.integers(1, 7), replace=False))
            name = f"{rng.choice(ODD)}:{number}.{copy}"
            transcripts.append((name, bool(rng.random() < 0.2), cuts.reshape(-1, 2).tolist()))
        names = f"{rng.choice(ODD)} G{number}", f"{rng.choice(ODD)} S{number}"
        genes.append(
            (str(rng.choice(["20", "chrX", "sc_1.1"])), str(rng.choice(["+", "-"])), *names, transcripts)
        )
    return genes


def _expected(genes):
    """Choose transcripts in the obvious way."""
    rows = []
    for contig, strand, gene_id, symbol, transcripts in genes:
        best = max(transcripts, key=lambda one: (one[1], sum(end - start for start, end in one[2])))
        starts, ends = zip(*best[2], strict=True)
        rows.append((contig, starts[0], ends[-1], strand, symbol, gene_id, starts, ends))
    return sorted(rows, key=lambda row: (row[0], row[1], row[5]))


def _as_gtf(genes, rng):
    lines = []
    for contig, strand, gene_id, symbol, transcripts in genes:
        for name, canonical, exons in transcripts:
            ids = [f'gene_id "{gene_id}"', f'transcript_id "{name}"', f'gene_name "{symbol}"']
            tags = ['tag "basic"', *['tag "Ensembl_canonical"'] * canonical, 'tag "non_canonical_U12"']
            note = f'note "gene_id {rng.choice(ODD)}; gene_name {rng.choice(ODD)}"'
            for start, end in exons:
                attributes = "; ".join(map(str, rng.permutation([*ids, *tags, note]))) + ";"
                lines.append(_line("exon", start, end, attributes, contig=contig, strand=strand))
    return "".join(rng.permutation(lines))


def _as_gff3(genes, rng):
    def escaped(text):
        return quote(text, safe=" :'#" if rng.random() < 0.5 else "")

    lines = []
    for contig, strand, gene_id, symbol, transcripts in genes:
        parents = {}
        lines.append(
            ("gene", 0, 9_000, f"ID={escaped('gene:' + gene_id)};Name={escaped(symbol)}", contig, strand)
        )
        for name, canonical, exons in transcripts:
            tags = "tag=" + ",".join(["basic", *["Ensembl_canonical"] * canonical])
            ids = f"ID={escaped(name)};Parent={escaped('gene:' + gene_id)}"
            lines.append(("mRNA", exons[0][0], exons[-1][1], f"{ids};{tags}", contig, strand))
            for start, end in exons:
                parents.setdefault((start, end), []).append(name)
        for (start, end), names in parents.items():
            lines.append(
                ("exon", start, end, f"Parent={','.join(map(escaped, names))};Name=e", contig, strand)
            )
    order = rng.permutation(len(lines))
    drawn = [lines[place] for place in order]
    return "##gff-version 3\n" + "".join(_line(*line[:4], contig=line[4], strand=line[5]) for line in drawn)


@pytest.mark.parametrize("seed", range(12))
def test_gtf_and_gff3_of_random_genes_with_odd_names_give_the_same_table(tmp_path, seed):
    rng = np.random.default_rng(seed)
    genes = _random_genes(rng)
    expected = _expected(genes)
    gtf = _read(tmp_path, "a.gtf", _as_gtf(genes, rng))
    gff3 = _read(tmp_path, "a.gff3", _as_gff3(genes, rng))
    assert _table(gtf) == expected
    assert _table(gff3) == expected
    assert not gtf.attrs["notes"]
    assert not gff3.attrs["notes"]


def test_an_exon_of_two_parents_belongs_to_both():
    many, single = (read_genes(CASES / f"{name}parent.gff3") for name in ("multi", "single"))
    assert _table(many) == _table(single)
    assert many["start"].tolist() == [1_000, 7_000]
    assert many["end"].tolist() == [5_000, 9_000]


def test_every_gene_of_refseq_is_there_and_what_has_no_exons_is_counted(caplog):
    with caplog.at_level(logging.WARNING):
        genes = read_genes(CASES / "refseq.gff3")
    assert genes["gene_name"].tolist() == ["A1", "P1", "P2", "ND1", "TRNA1", "MIR1"]
    assert genes["end"].tolist() == [2_000, 4_000, 4_300, 6_000, 7_100, 8_100]
    assert "refseq.gff3: 1 gene without exons" in caplog.text
    assert Annotation(genes).notes == tuple(genes.attrs["notes"])


def test_quotes_of_a_gtf_hold_semicolons():
    genes = read_genes(CASES / "semicolon.gtf")
    assert genes["gene_name"].tolist() == ["CYCD1;1", "CYCD1;2", "GENE9"]
    # the note's "tag canonical" is no tag
    assert genes["end"].tolist() == [1_200, 3_200, 5_900]


@pytest.mark.parametrize("utr", [True, False])
def test_coding_sequence_and_utr_make_up_exons_where_there_are_none(tmp_path, utr):
    parts = [("CDS", 50, 100), ("CDS", 200, 300)]
    if utr:
        parts += [("five_prime_UTR", 0, 50), ("three_prime_UTR", 300, 500)]
    gff3 = _line("gene", 0, 500, "ID=g") + _line("mRNA", 0, 500, "ID=m;Parent=g")
    gff3 += "".join(_line(kind, start, end, "Parent=m") for kind, start, end in parts)
    gtf = "".join(_line(kind, start, end, 'gene_id "g"; transcript_id "m";') for kind, start, end in parts)
    exons = ((0, 200), (100, 500)) if utr else ((50, 200), (100, 300))
    for name, text in (("a.gff3", gff3), ("a.gtf", gtf)):
        assert _table(_read(tmp_path, name, text))[0][6:] == exons


def test_a_tag_that_only_contains_the_word_is_not_canonical(tmp_path):
    ids = 'gene_id "g"; transcript_id "{}"; tag "{}";'
    text = _line("exon", 0, 50, ids.format("a", "non_canonical_U12")) + _line(
        "exon", 0, 60, ids.format("b", "x")
    )
    assert _read(tmp_path, "a.gtf", text)["end"].tolist() == [60]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # gffread: transcripts that say which gene they are of
        (
            _line("transcript", 0, 50, "ID=t1;geneID=G;gene_name=ABC") + _line("exon", 0, 50, "Parent=t1")
            + _line("transcript", 0, 90, "ID=t2;geneID=G;gene_name=ABC") + _line("exon", 0, 90, "Parent=t2"),
            [("ABC", "G", 90)],
        ),
        # bacteria: coding sequences alone, and the bases in the same file
        (_line("CDS", 0, 30, "ID=c1;gene=dnaA") + "##FASTA\n>20\nACGT\n", [("dnaA", "c1", 30)]),
        # a feature between transcript and gene, and genes without an ID
        (
            _line("gene", 0, 90, "ID=g;Name=M") + _line("primary_transcript", 0, 90, "ID=p;Parent=g")
            + _line("miRNA", 10, 20, "ID=m;Parent=p") + _line("exon", 10, 20, "Parent=m")
            + _line("gene", 100, 150, "Name=N"),
            [("M", "g", 20), ("N", "", 150)],
        ),
        # one transcript of two genes
        (
            _line("gene", 0, 90, "ID=a") + _line("gene", 0, 90, "ID=b")
            + _line("mRNA", 0, 90, "ID=m;Parent=a,b") + _line("exon", 5, 90, "Parent=m"),
            [("a", "a", 90), ("b", "b", 90)],
        ),
        # kinds of genes, and a gene's transcript without exons
        (
            _line("protein_coding_gene", 0, 90, "ID=a") + _line("mRNA", 10, 80, "ID=m;Parent=a"),
            [("a", "a", 80)],
        ),
    ],
)  # fmt: skip
def test_gff3_is_read_as_programs_write_it(tmp_path, text, rows):
    genes = _read(tmp_path, "a.gff3", text)
    assert list(zip(genes["gene_name"], genes["gene_id"], genes["end"], strict=True)) == rows


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.gff3", _line("exon", 0, 9, "Parent=x") + _line("CDS", 0, 9, "Parent=x"), "2 lines of no gene or"),
        ("a.gff3", _line("mRNA", 0, 9, "ID=a;Parent=b") + _line("mRNA", 0, 9, "ID=b;Parent=a")
         + _line("exon", 0, 9, "Parent=a"), "1 line of no gene or transcript of the file was left out"),
        ("a.gtf", _line("exon", 0, 9, 'transcript_id "t";'), "1 line without a gene_id was left out"),
    ],
)  # fmt: skip
def test_exons_of_no_gene_are_counted(tmp_path, name, text, said):
    with pytest.raises(DataError, match=said):
        _read(tmp_path, name, text)
    whole = text + _line("gene", 0, 9, "ID=g") + _line("exon", 0, 9, "Parent=g")
    if name.endswith("gtf"):
        whole = text + _line("exon", 0, 9, 'gene_id "g";')
    genes = _read(tmp_path, name, whole)
    assert len(genes) == 1
    assert said in genes.attrs["notes"][0]
    assert "(the first is line" in genes.attrs["notes"][0]


def test_attributes_decide_and_not_the_suffix(tmp_path):
    gtf = _line("exon", 0, 50, 'gene_id "A"; transcript_id "T";')
    gff3 = _line("gene", 0, 50, "ID=A") + _line("exon", 0, 50, "Parent=A")
    for name, text in (("a.gff", gtf), ("b.gff", gff3), ("c.gtf", gff3), ("d.gff3", gtf)):
        assert _read(tmp_path, name, text)["gene_id"].tolist() == ["A"]


def test_line_ends_encodings_and_the_browser_s_lines_make_no_difference(tmp_path):
    text = 'track name="x"\nbrowser hide\n\n' + _line("exon", 0, 50, 'gene_id "A"; note "caf\u00e9";')
    for content in (
        text.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("latin-1"),
    ):
        (tmp_path / "a.gtf").write_bytes(content)
        assert read_genes(tmp_path / "a.gtf")["end"].tolist() == [50]


def test_notes_are_kept_with_the_genes_of_a_large_file(tmp_path, monkeypatch):
    monkeypatch.setattr("phenviz.genome.annotation_files._CACHED_BYTES", 1)
    for _ in range(2):
        genes = read_genes(CASES / "refseq.gff3", cache_dir=tmp_path)
        assert "1 gene without exons" in genes.attrs["notes"][0]

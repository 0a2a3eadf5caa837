"""Build the embedded world: the small real genome that PhenViz carries in its package.

Usage::

    python scripts/build_embedded_world.py SOURCE_DIR     # rebuild the parts and the manifest
    python scripts/build_embedded_world.py                # only the manifest, after the weights changed

``SOURCE_DIR`` holds the public files named in `PARTS`. Tables get a ``contig`` column and 0-based
half-open coordinates, everything else is copied byte for byte; each part is checked against the
sequence. The same sources always give the same bytes, and ``data_manifests/embedded.yaml`` records
source, licence, assembly, size and sha256 of each.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED = ROOT / "phenviz" / "data" / "embedded"
MANIFEST = ROOT / "phenviz" / "data" / "manifests" / "embedded.yaml"
CONTIG = "20"
CONTIG_LENGTH = 63_025_520
LARGEST_TOTAL = 30_000_000
LARGEST_WEIGHTS = 5_000_000


@dataclass(frozen=True)
class Part:
    """One file of the embedded world: what it holds, where it comes from, under which licence."""

    name: str
    source_name: str
    description: str
    source: str
    licence: str


_SEQUENCE = "1000 Genomes reference sequence (human_g1k_v37), as in Debian's vt-examples"
_INDIVIDUALS = (
    "1000 Genomes Project phase 3 (Auton 2015, doi:10.1038/nature15393), as in Debian's shapeit4-example"
)
_REMO = "REMO v1 regulatory element modules, as in PyPI remopy; lifted from GRCh38 to GRCh37"

PARTS = (
    Part(
        "GRCh37.chr20.fa.gz",
        "GRCh37.chr20.fa.gz",
        "human chromosome 20, 63,025,520 bp, upper case, bgzip; contig name 20",
        _SEQUENCE,
        "public domain",
    ),
    Part(
        "GRCh37.chr20.fa.gz.fai",
        "GRCh37.chr20.fa.gz.fai",
        "index of the sequence",
        _SEQUENCE,
        "public domain",
    ),
    Part(
        "GRCh37.chr20.fa.gz.gzi",
        "GRCh37.chr20.fa.gz.gzi",
        "bgzip index of the sequence",
        _SEQUENCE,
        "public domain",
    ),
    Part(
        "genes.tsv.gz",
        "genes.GRCh37.chr20.tsv.gz",
        "544 protein-coding genes with the exons of one canonical transcript; 0-based half-open",
        "GENCODE V24 lifted to GRCh37 (Frankish 2021, doi:10.1093/nar/gkaa1087), as in PyPI spliceai",
        "GENCODE data: open, no restriction on use",
    ),
    Part(
        "transcripts.tsv.gz",
        "exons.GRCh37.chr20.tsv.gz",
        "all transcripts of chromosome 20 with their exons, coding or not; 0-based half-open",
        "GENCODE lifted to GRCh37 (Frankish 2021, doi:10.1093/nar/gkaa1087), as in PyPI mmsplice",
        "GENCODE data: open, no restriction on use; packaging MIT",
    ),
    Part(
        "cytobands.tsv",
        "cytobands.GRCh37.chr20.tsv",
        "Giemsa bands; 0-based half-open",
        "UCSC Genome Browser, table cytoBand of hg19",
        "UCSC: freely available for public use",
    ),
    Part(
        "remo.tsv.gz",
        "remo.GRCh37.chr20.tsv.gz",
        "36,718 regulatory elements with the cell types whose module they belong to; 0-based half-open",
        _REMO,
        "Artistic-2.0",
    ),
    Part(
        "remo.cell_types.tsv",
        "remo.cell_types.tsv",
        "144 cell types of the regulatory elements: Cell Ontology term and tissues",
        _REMO,
        "Artistic-2.0",
    ),
    Part(
        "jaspar2026.human.meme",
        "jaspar2026.human.core.meme",
        "892 human transcription factor motifs (JASPAR CORE), MEME format",
        "JASPAR 2026 (https://jaspar.elixir.no), as in PyPI pyjaspar",
        "CC BY 4.0",
    ),
    Part(
        "individuals.vcf.gz",
        "1000g.eur300.phased.chr20_1-4Mb.vcf.gz",
        "300 phased individuals, 24,990 biallelic variants, chr20:1,000,226-3,999,849",
        _INDIVIDUALS,
        "1000 Genomes data: open; packaging MIT",
    ),
    Part(
        "individuals.vcf.gz.csi",
        "1000g.eur300.phased.chr20_1-4Mb.vcf.gz.csi",
        "index of the individuals' VCF",
        _INDIVIDUALS,
        "1000 Genomes data: open; packaging MIT",
    ),
)
_RISK_SOURCE = (
    "trained by the PhenViz developers (scripts/build_phenformer.py) on simulated people, whose variants lie "
    "where those of individuals.vcf.gz do, and who fall ill by the effects of the pack ukbb-blood-finemap"
)
_HYPOTHESES = Part(
    "hypotheses.nc",
    "",
    "tests of blood traits of UK Biobank in each context of the embedded model, without their variants",
    "computed by scripts/build_embedded_hypotheses.py from the pack ukbb-blood-finemap (Ulirsch 2019, "
    "doi:10.1038/s41588-019-0362-6)",
    "BSD-3-Clause",
)
_WEIGHTS_SOURCE = (
    "trained by the PhenViz developers (phenviz train) on the packs blood16-atac, nott2019-brain, "
    "fetal-intestine-dnase, h1esc-chromhmm, lentimpra and blood16-rna, with the elements of REMO v1 as "
    "auxiliary targets; first layer started from JASPAR 2026"
)
# what learned from data whose licence asks for the same licence
_SHARE_ALIKE = {
    "tissues-readout": (
        "trained by the PhenViz developers (phenviz train readout) on the pack hpa-expression: Human Protein "
        "Atlas, proteinatlas.org (Uhlen 2015, doi:10.1126/science.1260419; Uhlen 2019, "
        "doi:10.1126/science.aax9198)",
        "CC BY-SA 3.0",
    )
}


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", nargs="?", type=Path, metavar="SOURCE_DIR", help="folder of the public files"
    )
    source = parser.parse_args().source
    if source is not None:
        build_parts(source)
    check_parts()
    write_manifest()


def build_parts(source: Path) -> None:
    """Write every part from its public file."""
    EMBEDDED.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        make = _TABLES.get(part.name)
        if make is None:
            shutil.copyfile(source / part.source_name, EMBEDDED / part.name)
        else:
            table = make(pd.read_csv(source / part.source_name, sep="\t", dtype=str, keep_default_na=False))
            _write_table(table, EMBEDDED / part.name)
        (EMBEDDED / part.name).chmod(0o644)


def _genes(table: pd.DataFrame) -> pd.DataFrame:
    columns = ["contig", "gene_name", "gene_id", "strand", "tx_start", "tx_end", "exon_starts", "exon_ends"]
    return _sorted(table.assign(contig=CONTIG)[columns])


def _transcripts(exons: pd.DataFrame) -> pd.DataFrame:
    """Join exons, one row each and counted from 1, to transcripts; ids lose their versions."""
    exons = exons.assign(first=exons["Start"].astype(int) - 1, last=exons["End"].astype(int))
    exons = exons.sort_values(["transcript_id", "first"])
    rows = []
    for (name, symbol, strand), own in exons.groupby(["transcript_id", "gene_name", "Strand"], sort=False):
        starts, ends = own["first"], own["last"]
        lists = [",".join(map(str, column)) + "," for column in (starts, ends)]
        place = str(starts.min()), str(ends.max())
        rows.append((CONTIG, symbol, name.split(".")[0], strand, *place, *lists))
    columns = ["contig", "gene_name", "gene_id", "strand", "tx_start", "tx_end", "exon_starts", "exon_ends"]
    return _sorted(pd.DataFrame(rows, columns=columns))


def _elements(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename(columns={"remo": "name"}).assign(contig=CONTIG)
    return _sorted(table[["contig", "start", "end", "name", "cell_types"]])


def _bands(table: pd.DataFrame) -> pd.DataFrame:
    return _sorted(table.assign(contig=CONTIG))


_TABLES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "genes.tsv.gz": _genes,
    "transcripts.tsv.gz": _transcripts,
    "remo.tsv.gz": _elements,
    "cytobands.tsv": _bands,
}


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    places = _places(table).astype(int)
    return table.loc[places.sort_values(list(places), kind="stable").index]


def _places(table: pd.DataFrame) -> pd.DataFrame:
    return table[["tx_start", "tx_end"] if "tx_start" in table else ["start", "end"]]


def _write_table(table: pd.DataFrame, path: Path) -> None:
    text = table.to_csv(sep="\t", index=False, lineterminator="\n").encode()
    if path.suffix != ".gz":
        path.write_bytes(text)
        return
    buffer = io.BytesIO()
    # no name and no time in the header, so that the same table is the same bytes
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as zipped:
        zipped.write(text)
    path.write_bytes(buffer.getvalue())


def check_parts() -> None:
    """Raise unless the parts fit the sequence and each other."""
    with gzip.open(EMBEDDED / "GRCh37.chr20.fa.gz", "rt") as lines:
        header, sequence = next(lines), "".join(line.rstrip("\n") for line in lines)
    _require(header.split()[0] == f">{CONTIG}", "the FASTA's contig isn't named 20")
    _require(len(sequence) == CONTIG_LENGTH, "the FASTA isn't chromosome 20 of GRCh37")
    _require(not set(sequence) - set("ACGTN"), "the FASTA holds more than upper-case A, C, G, T and N")
    tables = {name: pd.read_csv(EMBEDDED / name, sep="\t") for name in _TABLES}
    for name, table in tables.items():
        start, end = (_places(table)[column] for column in _places(table))
        inside = (start >= 0) & (start < end) & (end <= CONTIG_LENGTH)
        _require(bool(inside.all()), f"{name} holds places outside the contig")
    _check_cell_types(tables["remo.tsv.gz"])
    _check_reference_alleles(sequence)


def _check_cell_types(elements: pd.DataFrame) -> None:
    known = set(pd.read_csv(EMBEDDED / "remo.cell_types.tsv", sep="\t")["cell_type"])
    used = set(elements["cell_types"].dropna().str.split("|").explode())
    _require(used <= known, f"cell types without an ontology term: {sorted(used - known)[:5]}")


def _check_reference_alleles(sequence: str) -> None:
    with gzip.open(EMBEDDED / "individuals.vcf.gz", "rt") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            _, position, _, reference, _ = line.split("\t", 5)[:5]
            start = int(position) - 1
            found = sequence[start : start + len(reference)]
            _require(
                found == reference,
                f"individuals.vcf.gz, position {position}: REF {reference}, sequence {found}",
            )


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise SystemExit(f"build_embedded_world: {message}")


def write_manifest() -> None:
    """Write ``embedded.yaml``: every file of the package data with its origin and checksum."""
    there = [part for part in (*PARTS, _HYPOTHESES) if (EMBEDDED / part.name).is_file()]
    entries = [_entry(part.name, part.description, part.source, part.licence) for part in there]
    for path in sorted(path for path in (EMBEDDED / "weights").rglob("*") if path.is_file()):
        name = path.relative_to(EMBEDDED).as_posix()
        kind = "model card" if path.suffix == ".json" else "weights"
        source, licence = _SHARE_ALIKE.get(path.stem, (_WEIGHTS_SOURCE, "BSD-3-Clause"))
        if name.startswith("weights/risk/"):
            kind, source = f"risk model, {kind}" if path.suffix == ".json" else "risk model", _RISK_SOURCE
        entries.append(_entry(name, f"{kind} of {path.stem}", source, licence))
    weights = sum(entry["bytes"] for entry in entries if entry["name"].startswith("weights/"))
    _require(weights <= LARGEST_WEIGHTS, f"weights take {weights:,} bytes, more than {LARGEST_WEIGHTS:,}")
    total = sum(entry["bytes"] for entry in entries)
    _require(total <= LARGEST_TOTAL, f"the embedded world takes {total:,} bytes, more than {LARGEST_TOTAL:,}")
    manifest = {
        "name": "embedded",
        "title": "Embedded world: human chromosome 20",
        "description": "Real sequence, genes, elements, motifs and individuals, carried in the package.",
        "assembly": "GRCh37",
        "files": entries,
    }
    MANIFEST.parent.mkdir(parents=True, exist_ok=True)
    heading = "# Written by scripts/build_embedded_world.py; run it again after a part changed.\n"
    MANIFEST.write_text(heading + yaml.safe_dump(manifest, sort_keys=False, width=120, allow_unicode=True))
    print(f"{len(entries)} files, {total:,} bytes -> {MANIFEST.relative_to(ROOT)}")


def _entry(name: str, description: str, source: str, licence: str) -> dict[str, str | int]:
    content = (EMBEDDED / name).read_bytes()
    assembly = {} if "cell_types" in name or name.endswith(".meme") else {"assembly": "GRCh37"}
    return {
        "name": name,
        "description": description,
        "source": source,
        "licence": licence,
        **assembly,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


if __name__ == "__main__":
    main()

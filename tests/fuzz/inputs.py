"""Small valid files of every kind that PhenViz reads, on the toy world, and how each is read."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pgenlib
import yaml
from Bio import bgzf

from phenviz.genome import ReferenceGenome
from tests.fuzz import damage
from tests.toys import GAP, GENES, toy_project
from tests.variation.oracles import COLUMNS, HEADER

N_VARIANTS = 40


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Parameters
    ----------
    name
        Of the file; its suffix tells the reader what it is.
    text
        Whether it is text, so that lines and columns can be damaged.
    command
        What reads it: arguments of ``phenviz``, with ``{file}``, ``{world}``, ``{out}``, and
        ``{valid}``, the folder of the valid files.
    entries
        Counts the entries of a file's bytes in the plainest way; None where the command shows no count.
    key
        Key of ``project.yaml`` that names the file; empty where the command does.
    """

    name: str
    text: bool
    command: str
    entries: Callable[[bytes], int] | None = None
    key: str = ""

    @property
    def damages(self) -> tuple[damage.Damage, ...]:
        """What can happen to it."""
        if not self.text:
            return damage.ANY
        if self.name.endswith(".gz"):
            inside = (one for one in damage.TEXT if one is not damage.renamed)
            return (*damage.ANY, *map(damage.gzipped, inside))
        return damage.TEXT


def _lines(data: bytes) -> list[str]:
    """Return the lines that aren't blank, whatever ends them."""
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    encoding = "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
    lines = re.split(r"\r\n|\n|\r", text.removeprefix(b"\xef\xbb\xbf").decode(encoding, errors="replace"))
    return [line for line in lines if line.strip()]


def _records(data: bytes) -> int:
    return sum(not line.startswith("#") for line in _lines(data))


def _rows(data: bytes) -> int:
    return max(sum(not line.startswith("##") for line in _lines(data)) - 1, 0)


def _all(data: bytes) -> int:
    # no honest way of being damaged leaves a binary file with fewer
    return N_VARIANTS


def _rows_without_comments(data: bytes) -> int:
    return max(_records(data) - 1, 0)


def _matches(pattern: str) -> Callable[[bytes], int]:
    return lambda data: len({found for line in _lines(data) for found in re.findall(pattern, line)})


def _names_of_bed(data: bytes) -> int:
    # lines of one name are transcripts of one gene
    lines = (line.split("\t") for line in _lines(data) if not line.startswith("#"))
    return len({cells[3] for cells in lines if len(cells) > 3})


_VARIANTS = "variants {file} -o {out}/scores.tsv --world {world} --context Ery"
_TRACKS = "personal {file} --sample S1 --locus 20:2,001-6,000 -o {out}/S1.fa --world {world}"
_TRAITS = "hypotheses --table {file} --check --world {world}"
_COMPARE = "hypotheses compare {file} --reference {valid}/known.tsv --permutations 100"
_KNOWN = "hypotheses compare {valid}/tests.tsv --reference {file} --permutations 100"
_DOCTOR = "doctor --world {world}"
_LIFT = "lift {file} --chain {valid}/old.chain -o {out}/lifted.bed"
_CHAIN = "lift {valid}/intervals.bed --chain {file} -o {out}/lifted.bed"

KINDS: tuple[Kind, ...] = (
    Kind("calls.vcf", True, _VARIANTS, _records),
    Kind("phased.vcf", True, _TRACKS),
    Kind("calls.vcf.gz", True, _VARIANTS, _records),
    Kind("phased.vcf.gz", True, _TRACKS),
    Kind("calls.bcf", False, _VARIANTS, _all),
    Kind("phased.bcf", False, _TRACKS),
    Kind("plink.pgen", False, _TRACKS),
    Kind("plink.pvar", True, "personal {folder}/plink.pgen --sample S1 --locus 20:2,001-6,000 "
         "-o {out}/S1.fa --world {world}"),
    Kind("plink.psam", True, "personal {folder}/plink.pgen --sample S1 --locus 20:2,001-6,000 "
         "-o {out}/S1.fa --world {world}"),
    Kind("calls.vcz", False, _VARIANTS, _all),
    Kind("phased.vcz", False, _TRACKS),
    Kind("variants.tsv", True, _VARIANTS, _rows),
    Kind("variants.csv", True, _VARIANTS, _rows),
    Kind("variants.tsv.gz", True, _VARIANTS, _rows),
    Kind("variants.parquet", False, _VARIANTS, _all),
    Kind("posterior.tsv", True, _TRAITS, _rows),
    Kind("posterior.csv", True, _TRAITS, _rows),
    Kind("susie.txt", True, _TRAITS, _rows),
    Kind("sumstats.tsv", True, _TRAITS, _rows),
    Kind("sumstats.tsv.gz", True, _TRAITS, _rows),
    Kind("sumstats.glm.linear", True, _TRAITS, _rows),
    Kind("posterior.parquet", False, _TRAITS, _all),
    Kind("run.cred", True, _TRAITS),
    Kind("tests.tsv", True, _COMPARE),
    Kind("known.tsv", True, _KNOWN),
    Kind("tcsc.tsv", True, _KNOWN),
    Kind("intervals.bed", True, _LIFT),
    Kind("old.chain", True, _CHAIN),
    Kind("old.chain.gz", True, _CHAIN),
    Kind("genes.gtf", True, _DOCTOR, _matches(r'gene_id "([^"]+)"'), key="annotation"),
    Kind("genes.gtf.gz", True, _DOCTOR, _matches(r'gene_id "([^"]+)"'), key="annotation"),
    Kind("genes.gff3", True, _DOCTOR, _matches(r"\tgene\t.*ID=([^;]+)"), key="annotation"),
    Kind("genes.bed", True, _DOCTOR, _names_of_bed, key="annotation"),
    Kind("genes.tsv", True, _DOCTOR, _rows_without_comments, key="annotation"),
    Kind("elements.tsv", True, _DOCTOR, _rows_without_comments, key="elements"),
    Kind("bands.tsv", True, _DOCTOR, key="bands"),
    Kind("motifs.meme", True, _DOCTOR, lambda data: sum(line.startswith("MOTIF ") for line in _lines(data)),
         key="motifs"),
    Kind("peaks.narrowPeak", True, _DOCTOR, _records, key="peaks"),
    Kind("people.vcf", True, _DOCTOR, key="individuals"),
    Kind("panel.tsv", True, _DOCTOR, key="panel"),
    Kind("contexts.tsv", True, _DOCTOR, key="contexts"),
    Kind("genome.fa", True, _DOCTOR, lambda data: sum(line.startswith(">") for line in _lines(data)),
         key="reference"),
    Kind("genome.fa.gz", True, _DOCTOR, key="reference"),
    Kind("model.safetensors", False, _DOCTOR, key="checkpoint"),
    Kind("model.json", True, _DOCTOR, key="card"),
    Kind("project.yaml", True, _DOCTOR, key="project"),
)  # fmt: skip


class Files:
    """Valid files of all kinds in one folder, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = toy_project(folder)
        reference = ReferenceGenome(folder / "toy.fa", assembly="toy1", cache_dir=folder / "cache")
        self._codes = reference.codes("20")
        self._rng = np.random.default_rng(0)
        self._sites = self._draw_sites()
        self._write_variants()
        self._write_traits()
        self._write_lift()
        self._write_world()

    def _draw_sites(self) -> list[tuple[int, str, str]]:
        places = np.sort(self._rng.choice(np.arange(1_500, GAP[0] - 100), N_VARIANTS, replace=False))
        sites = []
        for position in places.tolist():
            ref = "ACGT"[self._codes[position - 1]]
            others = [base for base in "ACGT" if base != ref]
            sites.append((position, ref, str(self._rng.choice(others))))
        return sites

    def _write_variants(self) -> None:
        calls = [f"{a}|{b}" for a, b in self._rng.integers(0, 2, (N_VARIANTS, 2))]
        sites = "".join(f"20\t{p}\trs{p}\t{r}\t{a}\t.\tPASS\t.\n" for p, r, a in self._sites)
        phased = "".join(
            f"20\t{p}\trs{p}\t{r}\t{a}\t.\tPASS\t.\tGT\t{call}\t0|1\n"
            for (p, r, a), call in zip(self._sites, calls, strict=True)
        )
        plain = self.folder / "phased.vcf"
        (self.folder / "calls.vcf").write_text(HEADER + COLUMNS + "\n" + sites)
        plain.write_text(HEADER + COLUMNS + "\tFORMAT\tS1\tS2\n" + phased)
        shutil.copy(plain, self.folder / "people.vcf")
        for name in ("calls", "phased"):
            source = self.folder / f"{name}.vcf"
            zipped = source.with_name(f"{name}.vcf.gz")
            with bgzf.BgzfWriter(str(zipped)) as out:
                out.write(source.read_bytes())
            bcf = source.with_suffix(".bcf")
            subprocess.run(["bcftools", "view", "-Ob", "-o", bcf, source], check=True, capture_output=True)
        # the converter wants an index, which would go stale beside a damaged copy
        indexed = self.folder / "indexed.vcf.gz"
        shutil.copy(self.folder / "phased.vcf.gz", indexed)
        subprocess.run(["bcftools", "index", indexed], check=True)
        store = self.folder / "phased.vcz"
        convert = [sys.executable, "-m", "bio2zarr", "vcf2zarr", "convert", indexed, store, "-Q", "-p", "0"]
        subprocess.run(list(map(str, convert)), check=True, capture_output=True)
        shutil.copytree(store, self.folder / "calls.vcz")
        self._write_pgen(calls)
        table = pd.DataFrame(self._sites, columns=["position", "ref", "alt"])
        table.insert(0, "contig", "20")
        table["id"] = [f"rs{p}" for p in table["position"]]
        table.to_csv(self.folder / "variants.tsv", sep="\t", index=False)
        table.to_csv(self.folder / "variants.csv", index=False)
        (self.folder / "variants.tsv.gz").write_bytes(
            gzip.compress((self.folder / "variants.tsv").read_bytes(), mtime=0)
        )
        table.to_parquet(self.folder / "variants.parquet")

    def _write_pgen(self, calls: list[str]) -> None:
        path = self.folder / "plink.pgen"
        writer = pgenlib.PgenWriter(
            bytes(path), 2, variant_ct=N_VARIANTS, nonref_flags=False, hardcall_phase_present=True
        )
        for call in calls:
            alleles = np.array([*map(int, call.split("|")), 0, 1], dtype=np.int32)
            writer.append_partially_phased(alleles, np.ones(2, np.uint8))
        writer.close()
        rows = "".join(f"20\t{p}\trs{p}\t{r}\t{a}\n" for p, r, a in self._sites)
        path.with_suffix(".pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + rows)
        path.with_suffix(".psam").write_text("#IID\tSEX\nS1\tNA\nS2\tNA\n")

    def _write_traits(self) -> None:
        table = pd.DataFrame(self._sites, columns=["position", "ref", "alt"])
        table.insert(0, "contig", "20")
        posterior = table.assign(trait="MPV", posterior=np.round(self._rng.random(N_VARIANTS), 4), beta=0.1)
        posterior.to_csv(self.folder / "posterior.tsv", sep="\t", index=False)
        posterior.to_csv(self.folder / "posterior.csv", index=False)
        posterior.to_parquet(self.folder / "posterior.parquet")
        pairs = [(trait, name) for trait in ("MCV", "MPV") for name in ("Ery", "Mega", "Mono", "B", "NK")]
        tests = pd.DataFrame(pairs, columns=["trait", "context"]).assign(method="variant")
        tests = tests.assign(z=np.round(self._rng.normal(size=len(pairs)), 3))
        tests.to_csv(self.folder / "tests.tsv", sep="\t", index=False)
        known = pd.DataFrame(pairs, columns=["trait", "context"]).assign(score=range(len(pairs)))
        known.insert(2, "role", ["expected", "neutral", "", "", ""] * 2)
        known.assign(lineage="myeloid", counted="yes").to_csv(
            self.folder / "known.tsv", sep="\t", index=False
        )
        tcsc = pd.DataFrame(pairs, columns=["Trait_Nickname", "Tissue"]).assign(TCSC_JKSE=0.1, TCSC_FDRP=0.01)
        tcsc = tcsc.assign(Trait="UKB_460K.x", TCSC_h2=np.arange(len(pairs)) / 100)
        tcsc.to_csv(self.folder / "tcsc.tsv", sep="\t", index=False)
        names = [f"20:{p}_{r}_{a}" for p, r, a in self._sites]
        susie = pd.DataFrame({"variable": names, "variable_prob": posterior["posterior"], "cs": 1})
        susie.to_csv(self.folder / "susie.txt", sep=" ", index=False)
        beta = np.round(self._rng.normal(0, 0.02, N_VARIANTS), 5)
        beta[N_VARIANTS // 2] = 0.5
        p_value = 2 * np.exp(-0.5 * (beta / 0.02) ** 2).clip(1e-300, 0.5)
        stats = pd.DataFrame(
            {
                "chromosome": 20,
                "base_pair_location": table["position"],
                "effect_allele": table["alt"],
                "other_allele": table["ref"],
                "beta": beta,
                "standard_error": 0.02,
                "effect_allele_frequency": 0.3,
                "p_value": p_value,
            }
        )
        stats.to_csv(self.folder / "sumstats.tsv", sep="\t", index=False)
        (self.folder / "sumstats.tsv.gz").write_bytes(
            gzip.compress((self.folder / "sumstats.tsv").read_bytes(), mtime=0)
        )
        plink = pd.DataFrame(
            {
                "#CHROM": 20, "POS": table["position"], "ID": names, "REF": table["ref"],
                "ALT": table["alt"], "A1": table["alt"], "TEST": "ADD", "OBS_CT": 5_000, "BETA": beta,
                "SE": 0.02, "T_STAT": beta / 0.02, "P": p_value,
            }
        )  # fmt: skip
        plink.to_csv(self.folder / "sumstats.glm.linear", sep="\t", index=False)
        cred = pd.DataFrame({"index": [1, 2], "cred1": names[:2], "prob1": [0.7, 0.2]})
        (self.folder / "run.cred").write_text(f"# Post-Pr(# of causal SNPs is 1) = 0.9\n{_text(cred, ' ')}")

    def _write_lift(self) -> None:
        chain = "chain 9 20 60000 + 1000 20000 20 50021 + 900 19890 1\n9000 20 10\n9980\n\n"
        (self.folder / "old.chain").write_text(chain)
        (self.folder / "old.chain.gz").write_bytes(gzip.compress(chain.encode(), mtime=0))
        beds = (f"20\t{p - 1}\t{p + 9}\tpeak{p}\t5\t+\n" for p, _, _ in self._sites)
        (self.folder / "intervals.bed").write_text("".join(beds))

    def _write_world(self) -> None:
        genes = pd.read_csv(io.StringIO(GENES), sep="\t", dtype={"contig": str})
        gtf, gff, bed = [], ["##gff-version 3"], []
        for gene in genes.itertuples():
            starts, ends = (
                list(map(int, str(values).strip(",").split(",")))
                for values in (gene.exon_starts, gene.exon_ends)
            )
            where = (gene.contig, gene.strand)
            ids = f'gene_id "{gene.gene_id}"; transcript_id "T{gene.gene_id}"; gene_name "{gene.gene_name}";'
            kinds = f'{ids} gene_type "protein_coding"; transcript_type "protein_coding"; level 2;'
            gtf.append(_feature(where, "gene", gene.tx_start, gene.tx_end, kinds))
            gtf.append(_feature(where, "transcript", gene.tx_start, gene.tx_end, kinds))
            gff.append(
                _feature(where, "gene", gene.tx_start, gene.tx_end,
                         f"ID={gene.gene_id};Name={gene.gene_name};biotype=protein_coding")
            )  # fmt: skip
            gff.append(
                _feature(where, "mRNA", gene.tx_start, gene.tx_end,
                         f"ID=T{gene.gene_id};Parent={gene.gene_id};biotype=protein_coding")
            )  # fmt: skip
            for start, end in zip(starts, ends, strict=True):
                gtf.append(_feature(where, "exon", start, end, kinds))
                gff.append(_feature(where, "exon", start, end, f"Parent=T{gene.gene_id}"))
            widths = ",".join(str(end - start) for start, end in zip(starts, ends, strict=True))
            offsets = ",".join(str(start - gene.tx_start) for start in starts)
            bed.append(
                f"{gene.contig}\t{gene.tx_start}\t{gene.tx_end}\t{gene.gene_name}\t0\t{gene.strand}\t"
                f"{gene.tx_start}\t{gene.tx_end}\t0\t{len(starts)}\t{widths},\t{offsets},"
            )
        written = {"genes.gtf": gtf, "genes.gff3": gff, "genes.bed": bed}
        for name, lines in written.items():
            (self.folder / name).write_text("\n".join(lines) + "\n")
        (self.folder / "genes.gtf.gz").write_bytes(
            gzip.compress((self.folder / "genes.gtf").read_bytes(), mtime=0)
        )
        starts = np.arange(1_000, 19_000, 1_500)
        (self.folder / "elements.tsv").write_text(
            "contig\tstart\tend\tname\tcell_types\n"
            + "".join(f"20\t{s}\t{s + 400}\te{s}\tmonocyte|B cell\n" for s in starts)
        )
        (self.folder / "peaks.narrowPeak").write_text(
            "".join(f"chr20\t{s}\t{s + 400}\tp{s}\t100\t.\t5.5\t9.1\t7.2\t200\n" for s in starts)
        )
        (self.folder / "bands.tsv").write_text(
            "contig\tstart\tend\tname\tstain\n20\t0\t20000\tp11\tgneg\n20\t20000\t50021\tq11\tgpos50\n"
        )
        (self.folder / "panel.tsv").write_text("sample\tpop\tsuper_pop\nS1\tGBR\tEUR\nS2\tYRI\tAFR\n")
        (self.folder / "contexts.tsv").write_text(
            "name\tlabel\tcurie\tgroup\tcolour\nEry\terythroid\tCL:0000764\terythroid\t#c0392b\n"
            "Mono\tmonocyte\tCL:0000576\tmyeloid\t#e08a1e\nB\tB cell\tCL:0000236\tlymphoid\t#2a6fbb\n"
        )
        rows = "\n".join(" ".join(f"{x:.4f}" for x in self._rng.dirichlet(np.ones(4))) for _ in range(8))
        motif = "MOTIF MA{0:04}.1 TF{0}\nletter-probability matrix: alength= 4 w= 8 nsites= 20 E= 0\n{1}\n"
        (self.folder / "motifs.meme").write_text(
            "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
            + "\n".join(motif.format(number, rows) for number in range(6))
        )
        shutil.copy(self.folder / "toy.fa", self.folder / "genome.fa")
        with bgzf.BgzfWriter(str(self.folder / "genome.fa.gz")) as out:
            out.write((self.folder / "toy.fa").read_bytes())
        for suffix in (".safetensors", ".json"):
            shutil.copy(self.folder / f"toy{suffix}", self.folder / f"model{suffix}")

    def world_with(self, key: str, path: Path, folder: Path) -> Path:
        """Write a project that names one file by its key, and the toy world's for the rest."""
        if key == "project":
            return path
        entries = {
            "name": "fuzz", "assembly": "toy1", "reference": "toy.fa", "annotation": "genes.tsv",
            "checkpoint": "toy.safetensors",
        }  # fmt: skip
        named: dict[str, object] = {name: str(self.folder / value) for name, value in entries.items()}
        named |= {"name": "fuzz", "assembly": "toy1"}
        if key == "peaks":
            named["peaks"] = {"Mono": str(path)}
        elif key == "card":
            shutil.copy(self.folder / "model.safetensors", path.with_suffix(".safetensors"))
            named["checkpoint"] = str(path.with_suffix(".safetensors"))
        elif key == "panel":
            named |= {"individuals": str(self.folder / "people.vcf"), "panel": str(path)}
        elif key:
            named[key] = str(path)
        if key == "checkpoint":
            shutil.copy(self.folder / "model.json", path.with_suffix(".json"))
        project = folder / "world.yaml"
        project.write_text(yaml.safe_dump(named))
        return project


def _text(table: pd.DataFrame, separator: str) -> str:
    return table.to_csv(sep=separator, index=False)


def _feature(where: tuple[str, str], kind: str, start: int, end: int, attributes: str) -> str:
    contig, strand = where
    return f"{contig}\ttoy\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t.\t{attributes}"

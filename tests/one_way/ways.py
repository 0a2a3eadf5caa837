"""Commands and pages that lead to the model, and one made-up person, whom nobody else has."""

from __future__ import annotations

from pathlib import Path

from phenviz.app.individual.page import IndividualPage
from phenviz.app.variants.page import VariantsPage
from phenviz.genome import Locus
from phenviz.world import open_world
from tests.app.waiting import first_people, wait

SITE, VIEW = Locus("20", 6_000, 6_120), Locus("20", 2_000, 9_000)
PERSON, VARIANT, INSERTED = "Marker-Person-7F3A", "marker-variant-91C2", "GATTACAGATTACATTGACA"


def write_person(project: Path, folder: Path) -> Path:
    """Write the VCF of one made-up person, whom and whose insertion nobody else has; return its path."""
    reference = open_world(project).reference
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=20,length=50021>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", PERSON]))
    for number, at in enumerate((3_000, 6_050, 8_100)):
        ref = reference.sequence(Locus("20", at - 1, at)).upper()
        alt = ref + INSERTED if number == 1 else "A" if ref != "A" else "C"
        call = ("1|0", "0|1", "1|1")[number]
        lines.append(
            "\t".join(["20", str(at), f"{VARIANT}-{number}", ref, alt, ".", "PASS", ".", "GT", call])
        )
    path = folder / "person.vcf"
    path.write_text("\n".join(lines) + "\n")
    return path


def commands(vcf: Path, folder: Path, table: Path) -> dict[str, list[object]]:
    """Return one command for each way to the model, each with its own output."""
    sites = "chr20:6,001-6,120"
    made: dict[str, list[object]] = {
        "predict": ["predict", sites],
        "predict-sample": ["predict", sites, "--sample", "ann"],
        "predict-vcf": ["predict", sites, "--vcf", vcf],
        "mutagenesis": ["mutagenesis", sites],
        "mutagenesis-gene": ["mutagenesis", sites, "--gene", "ALPHA"],
        "coarse": ["mutagenesis", sites, "--context", "Ery", "--coarse-to-fine", "1"],
        "attribute": ["attribute", sites, "--context", "Ery", "--steps", "4"],
        "saliency": ["attribute", sites, "--context", "Ery", "--gene", "ALPHA", "--method", "saliency"],
        "trait": ["attribute", "--trait", "MCV", "--method", "saliency"],
        "ablate": ["ablate", sites, "--shuffles", "2"],
        "ablate-gene": ["ablate", sites, "--gene", "ALPHA", "--shuffles", "2"],
        "marginalize": ["marginalize", "AGATAAGG", "--backgrounds", "3"],
        "variants": ["variants", vcf],
        "variants-gene": ["variants", vcf, "--gene", "ALPHA"],
        "variants-expression": ["variants", vcf, "--expression"],
        "variant": ["variants", f"chr20:6,050 {_base_of(vcf)}"],
        "personal": ["personal", vcf, "--locus", sites],
        "expression": ["personal", vcf, "--gene", "ALPHA"],
        "risk": ["risk", "--individuals", vcf],
        "hypotheses": ["hypotheses", "--table", table, "--method", "variant", "--permutations", "100"],
        "controls": ["hypotheses", "--table", table, "--method", "control-random-weights",
                     "--permutations", "100"],
        "report": ["report", "chr20:7,001-7,100"],  # of the others' locus everything is stored
        "report-variant": ["report", f"chr20:6,050 {_base_of(vcf)}"],
        "report-person": ["report", f"{PERSON}@{sites}", "--vcf", vcf],
        "report-hypotheses": ["report", "--table", table, "--method", "variant", "--permutations", "100"],
    }  # fmt: skip
    outputs = {name: folder / f"{name}.{'html' if name.startswith('report') else 'nc'}" for name in made}
    outputs |= {"variants": folder / "variants.vcf", "personal": folder / "personal.svg"}
    device = ["--device", "cpu"]
    written: dict[str, list[object]] = {
        name: [*words, "-o", outputs[name], *device] for name, words in made.items()
    }
    return written | {"overview": ["overview", "20", *device]}


def _base_of(vcf: Path) -> str:
    ref = vcf.read_text().splitlines()[-2].split("\t")[3]
    return f"{ref}>{'A' if ref != 'A' else 'C'}"


def write_table(project: Path, folder: Path) -> Path:
    reference = open_world(project).reference
    lines = ["trait\tchr\tpos\tref\talt\tpip"]
    for number, at in enumerate(range(2_000, 18_000, 1_600)):
        ref = reference.sequence(Locus("20", at - 1, at)).upper()
        lines.append(f"T{number % 2}\tchr20\t{at}\t{ref}\t{'A' if ref != 'A' else 'C'}\t0.3")
    path = folder / "traits.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def look_at_a_person(runtime) -> IndividualPage:
    page = IndividualPage(runtime)
    first_people(page)
    page.state.param.update(locus=VIEW, settled=VIEW)
    page.choice.hear({"source": "file:person.vcf"})
    wait(page, lambda: page.state.sample == PERSON and page.run.status == "done")
    page.state.mode = "sum"
    wait(page, lambda: page.run.status == "done" and page.run.agreement() is not None)
    page.state.variant = next(key for key in page.grid.view.keys if INSERTED in key)
    wait(page, lambda: page.detail._pane.visible)
    return page


def score_variants_of_a_person(runtime) -> VariantsPage:
    page = VariantsPage(runtime)
    page.state.param.update(locus=VIEW, settled=VIEW, origin="file:person.vcf")
    page.run.ask()
    # a part of the list is looked at before all of it
    wait(page, lambda: (table := page.run.table()) is not None and len(table) == 3 and page.run.complete)
    page._choose(next(key for key in page.grid.view.keys if INSERTED in key))
    wait(page, lambda: page.view._detail._pane.visible)
    runtime.common_effects().result(120)
    return page

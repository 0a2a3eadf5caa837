from __future__ import annotations

import shutil

import pytest
from Bio import bgzf
from click.testing import CliRunner

from phenviz import open_world
from phenviz.cli import main
from phenviz.errors import PhenvizError
from phenviz.saving import save
from tests.disease.people_toys import people_result
from tests.toys import CONTEXTS, GENES

PEAK = "chr20\t500\t900\tp\t10\t.\t2.5\t3\t2\t100\n"
BAND = "chr20\t0\t5000\tp13\tgneg\n"
ELEMENT = "contig\tstart\tend\tname\tcell_types\n20\t10\t20\ta\tT cell\n"
VCF = (
    "##fileformat=VCFv4.2\n##contig=<ID=20>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\n"
    "20\t1000\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|1\n"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(toy_project, tmp_path):
    """Copy the toy world, to be broken."""
    return shutil.copytree(toy_project.parent, tmp_path / "world")


def examine(folder, entries=""):
    with (folder / "project.yaml").open("a") as project:
        project.write(entries)
    result = CliRunner().invoke(main, ["doctor", "--world", str(folder / "project.yaml")])
    assert "Traceback" not in result.output and "bug" not in result.output
    problems = [line for line in result.stdout.splitlines() if "PROBLEM" in line]
    assert (result.exit_code != 0) == bool(problems), result.output
    return problems


def test_a_whole_world_has_no_problem(folder):
    files = {"a.vcf": VCF, "a.narrowPeak": PEAK, "bands.tsv": BAND, "elements.tsv": ELEMENT}
    for name, text in files.items():
        (folder / name).write_text(text)
    entries = "individuals: a.vcf\npeaks: {Ery: a.narrowPeak}\nbands: bands.tsv\nelements: elements.tsv\n"
    assert examine(folder, entries) == []


@pytest.mark.parametrize(
    ("key", "name", "text", "said"),
    [
        ("individuals", "a.vcf", "hello\n", "a.vcf"),
        ("motifs", "a.meme", "hello\n", "a.meme hold no motif"),
        ("bands", "bands.tsv", "20\n", "bands.tsv, line 1: 1 of the columns contig, start"),
        ("bands", "bands.tsv", BAND.replace("5000", "x"), "bands.tsv, line 1: start 0 and end x"),
        ("elements", "e.tsv", "contig\tstart\tend\tname\n20\t1\t2\ta\n", "lacks the column cell_types"),
        ("elements", "e.tsv", ELEMENT.replace("20\t10\t20", "9\t1\t2"), "its contigs (9) are none of the"),
        ("elements", "e.tsv", ELEMENT.replace("10\t20", "20\t10"), "e.tsv, line 2: start 20 and end 10"),
        ("peaks: {Ery", "a.narrowPeak}", "garbage\n", "a.narrowPeak can't be read as narrowPeak"),
        ("peaks: {Ery", "a.narrowPeak}", PEAK.replace("chr20", "chr9"), "its contigs (9) are none of the"),
        ("peaks: {Liver", "a.narrowPeak}", PEAK, "'Liver': it has Ery, Mono, B"),
        ("phenformer", "a.safetensors", "hello\n", "a.json is missing"),
    ],
)
def test_a_damaged_file_is_one_line_with_its_key_and_place(folder, key, name, text, said):
    (folder / name.rstrip("}")).write_text(text)
    (problem,) = examine(folder, f"{key}: {name}\n")
    assert f"project.yaml, line 6: '{key.split(':')[0]}': " in problem
    assert said in problem


def test_a_file_of_another_model_is_no_phenformer(folder):
    (problem,) = examine(folder, "phenformer: toy.safetensors\n")
    assert "line 6: 'phenformer': " in problem and "toy.json" in problem


def test_genes_of_another_assembly_are_told(folder):
    (folder / "genes.tsv").write_text(GENES.replace("20\t", "NC_000020.11\t").replace("21\t", "x\t"))
    (problem,) = examine(folder)
    assert "line 4: 'annotation': its contigs (NC_000020.11, x) are none of the reference (20, 21)" in problem


def test_genes_without_sequence_are_counted(folder):
    rows = GENES.replace("20\tBETA", "sc_1\tBETA")
    (folder / "genes.tsv").write_text(
        rows.replace("5000\t100,4000,\t900,5000,", "9500\t100,4000,\t900,9500,")
    )
    done = CliRunner().invoke(main, ["doctor", "--world", str(folder / "project.yaml")])
    assert "1 of the genes lie on contigs that the reference lacks (sc_1)" in done.stdout
    assert "1 of the genes reach beyond the end of their contig" in done.stdout


def test_a_damaged_reference_is_told_once(folder):
    whole = (folder / "toy.fa").read_bytes()
    with bgzf.open(str(folder / "toy.fa.gz"), "wb") as out:
        out.write(whole)
    raw = (folder / "toy.fa.gz").read_bytes()
    project = folder / "project.yaml"
    project.write_text(project.read_text().replace("toy.fa", "toy.fa.gz"))
    (folder / "toy.fa.gz").write_bytes(raw[: len(raw) // 2])
    first, *others = examine(folder)
    assert "line 3: 'reference': reference" in first and "a block is damaged or cut off" in first
    assert [line.split("PROBLEM: ")[1] for line in others] == ["see reference"]


@pytest.mark.parametrize(
    ("key", "part"),
    [("elements", "annotation"), ("peaks: {Ery", "peaks"), ("individuals", "individuals")],
)
def test_opening_a_part_names_the_key_of_a_wrong_file(folder, key, part):
    name = {"elements": "e.tsv", "individuals": "a.vcf"}.get(key, "a.narrowPeak")
    (folder / name).write_text("hello\n")
    with (folder / "project.yaml").open("a") as project:
        project.write(f"{key}: {name}{'}' if '{' in key else ''}\n")
    world = open_world(folder / "project.yaml")
    with pytest.raises(PhenvizError, match=rf"line 6: '{key.split(':')[0]}': .*{name}"):
        getattr(world, part)


def test_hypotheses_that_were_tested_elsewhere_are_read_and_refused_by_their_key(folder):
    made = people_result(CONTEXTS, ["ALPHA"])
    save(made, folder / "people.nc")
    assert examine(folder, "hypotheses: people.nc\n") == []
    save(made.assign_attrs(assembly="GRCh38"), folder / "people.nc")
    (said,) = examine(folder)
    assert "'hypotheses':" in said and "people.nc was tested on GRCh38, and world" in said

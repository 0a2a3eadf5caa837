import re

import pytest

from phenviz.data.embedded import MOTIFS
from phenviz.data.embedded_world import embedded_project
from phenviz.data.project import read_project
from phenviz.errors import ProjectError

_FILES = (
    "genome.fa",
    "genes.gtf",
    "model.safetensors",
    "one.vcf.gz",
    "two.vcf.gz",
    "ery.narrowPeak",
    "mono.narrowPeak.gz",
    "notes.txt",
    "gata1.bw",
    "sites.bed.gz",
)
_LEAST = "assembly: GRCh38\nreference: genome.fa\nannotation: genes.gtf\n"


@pytest.fixture
def folder(tmp_path):
    for name in _FILES:
        (tmp_path / name).touch()
    return tmp_path


def _read(folder, text):
    (folder / "project.yaml").write_text(text)
    return read_project(folder / "project.yaml")


def _message(folder, text):
    with pytest.raises(ProjectError) as caught:
        _read(folder, text)
    message = str(caught.value)
    assert str(folder / "project.yaml") in message
    assert "\n" not in message
    return message


def test_paths_are_relative_to_the_file(folder, monkeypatch):
    monkeypatch.chdir("/")
    project = _read(folder, _LEAST)
    assert project.reference == folder / "genome.fa"
    assert project.annotation == folder / "genes.gtf"


def test_what_is_left_out_has_a_default(folder):
    project = _read(folder, _LEAST)
    assert project.name == folder.name
    assert project.motifs == MOTIFS
    assert project.checkpoint is None and project.contexts == () and project.individuals == ()
    assert project.read_peaks() is None


def test_one_or_several_vcfs_may_be_given(folder):
    assert _read(folder, _LEAST + "individuals: one.vcf.gz\n").individuals == (folder / "one.vcf.gz",)
    listed = _read(folder, _LEAST + "individuals: [one.vcf.gz, two.vcf.gz]\n").individuals
    assert [path.name for path in listed] == ["one.vcf.gz", "two.vcf.gz"]


def test_contexts_are_read_from_the_file_itself_and_from_a_table(folder):
    inline = _read(
        folder,
        _LEAST
        + "contexts:\n"
        + "  - {name: Ery, label: erythroid, curie: CL:0000764, group: blood, colour: '#c0392b'}\n"
        + "  - Mono\n",
    ).contexts
    (folder / "contexts.tsv").write_text(
        "name\tlabel\tcurie\tgroup\tcolour\nEry\terythroid\tCL:0000764\tblood\t#c0392b\nMono\t\t\t\t\n"
    )
    table = _read(folder, _LEAST + "contexts: contexts.tsv\n").contexts
    assert inline == table
    assert (inline[0].curie, inline[0].colour, inline[0].group) == ("CL:0000764", "#c0392b", "blood")
    assert inline[1].label == "Mono" and inline[1].colour.startswith("#")


def test_peaks_are_a_pack_or_files_by_context(folder):
    assert _read(folder, _LEAST + "peaks: blood16-atac\n").peaks == ("blood16-atac",)
    several = _read(folder, _LEAST + "peaks: [blood16-atac, nott2019-brain]\n")
    assert several.peaks == several.peak_packs == ("blood16-atac", "nott2019-brain")
    by_context = _read(folder, _LEAST + "peaks:\n  Ery: ery.narrowPeak\n  Mono: mono.narrowPeak.gz\n").peaks
    assert by_context == {"Ery": folder / "ery.narrowPeak", "Mono": folder / "mono.narrowPeak.gz"}


def test_tracks_are_named_files_with_or_without_a_colour(folder):
    short = _read(folder, _LEAST + "tracks: {GATA1 ChIP: gata1.bw, 3: sites.bed.gz}\n").tracks
    assert [(track.name, track.path.name, track.colour) for track in short] == [
        ("GATA1 ChIP", "gata1.bw", ""), ("3", "sites.bed.gz", ""),
    ]  # fmt: skip
    (full,) = _read(folder, _LEAST + "tracks:\n- {name: a, file: gata1.bw, colour: '#12AbEf'}\n").tracks
    assert full.colour == "#12AbEf"


def test_a_number_may_be_a_name(folder):
    assert _read(folder, "name: 2026\n" + _LEAST).name == "2026"


@pytest.mark.parametrize("key", ["assembly", "reference", "annotation"])
def test_a_missing_required_key_is_named_with_the_fix(folder, key):
    text = "".join(line + "\n" for line in _LEAST.splitlines() if not line.startswith(key))
    assert re.search(f"lacks the key '{key}': (name|give) ", _message(folder, text))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("referense: genome.fa", "line 4: 'referense' is no key of a project: did you mean 'reference'?"),
        ("zzzz: 1", "line 4: 'zzzz' is no key of a project: known keys are name, assembly"),
        ("checkpoint: other.safetensors", "line 4: 'checkpoint' names"),
        ("checkpoint: notes.txt", "a file ending in .safetensors is needed"),
        ("checkpoint: [model.safetensors]", "no path: give the path of the backbone's"),
        ("checkpoint:", "line 4: 'checkpoint' is None, no path"),
        ("name: ''", "line 4: 'name' is '', no name"),
        ("individuals: [one.vcf.gz, three.vcf.gz]", "three.vcf.gz, which isn't there"),
        ("contexts: []", "line 4: 'contexts' holds no contexts"),
        ("contexts: 3", "line 4: 'contexts' holds no contexts"),
        ("contexts: [{label: erythroid}]", "has an entry 1 without a name"),
        ("contexts: [Ery, Mono, Ery]", "lists Ery twice"),
        ("contexts: [{name: Ery, color: red}]", "unknown field 'color': known are name, label"),
        ("contexts: [{name: Ery, colour: red}]", "gives Ery the colour 'red': write it as '#rrggbb'"),
        ("peaks: blood16-atak", "did you mean blood16-atac"),
        ("peaks: {Ery: nowhere.narrowPeak}", "nowhere.narrowPeak, which isn't there"),
        ("contexts: [Mono]\npeaks: {Ery: ery.narrowPeak}", "line 5: 'peaks' names the context 'Ery'"),
        ("tracks: []", "line 4: 'tracks' holds no tracks: write 'name: file' lines"),
        ("tracks: gata1.bw", "line 4: 'tracks' holds no tracks"),
        ("tracks: {a: notes.txt}", "notes.txt: a file ending in .bw, .bigWig, .bed"),
        ("tracks: {a: there.bw}", "there.bw, which isn't there"),
        ("tracks: [{file: gata1.bw}]", "has an entry 1 without a name or a file"),
        ("tracks: [gata1.bw]", "has an entry 1 without a name or a file"),
        ("tracks: [{name: a, file: gata1.bw, color: red}]", "unknown field 'color': known are name, file"),
        ("tracks: [{name: a, file: gata1.bw, colour: red}]", "gives a the colour 'red': write it as"),
        ("tracks: [{name: a, file: gata1.bw}, {name: a, file: gata1.bw}]", "lists 'a' twice"),
        ("assembly: GRCh37", "line 4: 'assembly' was given in line 1: keep one"),
    ],
)
def test_a_wrong_entry_is_one_line_with_place_key_and_fix(folder, line, said):
    assert said in _message(folder, f"{_LEAST}{line}\n")


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- b\n"])
def test_a_file_without_keys_is_refused(folder, text):
    assert "holds no 'key: value' lines" in _message(folder, text)


def test_broken_yaml_is_told_with_its_place(folder):
    assert "line 2" in _message(folder, "assembly: GRCh38\n  reference: [genome.fa\n")


def test_a_missing_project_is_told(tmp_path):
    with pytest.raises(ProjectError, match=r"nowhere\.yaml can't be read"):
        read_project(tmp_path / "nowhere.yaml")


def test_a_missing_table_row_is_told(folder):
    (folder / "contexts.tsv").write_text("name\tlabel\n")
    assert "needs a header line and one line per context" in _message(
        folder, _LEAST + "contexts: contexts.tsv\n"
    )


def test_a_column_of_contexts_without_a_name_is_told_with_its_line(folder):
    (folder / "contexts.tsv").write_text("# mine\nname\tlabel\nEry\terythroid\nB\tB cell\tmore\n")
    said = _message(folder, _LEAST + "contexts: contexts.tsv\n")
    assert "contexts.tsv, whose line 4 has 3 columns and its header 2" in said


def test_the_embedded_project_names_files_that_are_there():
    project = embedded_project()
    named = (project.reference, project.annotation, project.bands, project.elements, project.motifs)
    assert all(path.is_file() for path in (*named, *project.individuals))
    assert len(project.contexts) == 24


def test_hypotheses_are_one_file_or_several_of_different_names(folder):
    for name in ("h.nc", "v.parquet"):
        (folder / name).touch()
    (folder / "people.zarr").mkdir()
    project = _read(folder, _LEAST + "hypotheses: [h.nc, people.zarr, v.parquet]\n")
    assert project.hypotheses == (folder / "h.nc", folder / "people.zarr", folder / "v.parquet")
    assert _read(folder, _LEAST + "hypotheses: h.nc\n").hypotheses == (folder / "h.nc",)
    assert _read(folder, _LEAST).hypotheses == ()
    (folder / "more").mkdir()
    (folder / "more" / "h.nc").touch()
    said = _message(folder, _LEAST + "hypotheses: [h.nc, more/h.nc]\n")
    assert "line 4: 'hypotheses' names two files called h.nc: rename one" in said
    said = _message(folder, _LEAST + "hypotheses: notes.txt\n")
    assert "a file ending in .nc, .zarr, .parquet is needed" in said

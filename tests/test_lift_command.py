import pytest
from click.testing import CliRunner

from phenviz.cli import main
from tests.variation.lift_toys import toy_lift


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PHENVIZ_MIRROR", raising=False)
    _, _, old, _ = toy_lift(tmp_path)
    (tmp_path / "in.tsv").write_text(f"contig\tposition\tref\talt\n20\t21\t{old[20]}\tN\n20\t9\tA\tC\n")
    (tmp_path / "in.bed").write_text("chr20\t12\t20\nchr20\t40\t44\n")
    return tmp_path


def _run(*arguments):
    return CliRunner().invoke(main, ["lift", *map(str, arguments)])


def test_a_table_is_lifted_and_its_rejects_lie_beside_it(folder):
    done = _run(folder / "in.tsv", "--chain", folder / "toy.over.chain", "--reference", folder / "new.fa",
                "-o", folder / "out.tsv")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "2 rows read, 1 lifted" in done.stderr and "1 left out: where the other assembly" in done.stderr
    assert (folder / "out.tsv").read_text().split()[4:6] == ["20", "26"]
    assert "unmapped" in (folder / "out.rejects.tsv").read_text()


def test_a_bed_file_needs_no_reference(folder):
    done = _run(folder / "in.bed", "--chain", folder / "toy.over.chain", "-o", folder / "out.bed")
    assert done.exit_code == 0 and (folder / "out.bed").read_text() == "chr20\t17\t25\n"


def test_the_embedded_world_is_no_target_of_toy_chains(folder):
    done = _run(folder / "in.tsv", "--chain", folder / "toy.over.chain", "-o", folder / "out.tsv")
    assert done.exit_code == 1 and "doesn't lead to the assembly of" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (folder / "out.tsv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("in.tsv", "-o", "out.vcf"), "end its name with"),
        (("in.bed", "-o", "out.tsv"), "end its name with .bed"),
        (("in.tsv", "-o", "in.tsv"), "is the file to be read"),
        (("in.tsv", "-o", "out.tsv", "--rejects", "out.tsv"), "is the same file"),
        (("none.tsv", "-o", "out.tsv"), "is missing"),
    ],
)
def test_files_that_would_be_lost_or_of_another_kind_are_refused(folder, arguments, said):
    paths = [str(folder / one) if "." in one else one for one in arguments]
    done = _run(*paths, "--chain", folder / "toy.over.chain", "--reference", folder / "new.fa")
    assert done.exit_code and said in " ".join(done.output.split())


def test_a_chain_file_may_come_from_a_data_pack_that_is_missing_or_has_none(folder):
    done = _run(folder / "in.bed", "--chain", "lentimpra", "-o", folder / "out.bed")
    assert done.exit_code == 1 and "holds no chain file" in done.stderr
    done = _run(folder / "in.bed", "--chain", "nowhere.chain", "-o", folder / "out.bed")
    assert done.exit_code == 1 and "nowhere.chain is missing" in done.stderr

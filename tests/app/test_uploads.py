"""Files that a user hands over: nothing a browser says is believed, and nothing outlasts the session."""

from __future__ import annotations

import base64
import gc
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from phenviz.app.individual.genotype_sources import UPLOAD, People
from phenviz.app.shell.own_file import OwnFile, OwnFiles
from phenviz.app.shell.uploads import PrivateFolder, files_of, remove_stale
from phenviz.errors import DataError
from phenviz.world import open_world

VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tme\n"


def piece(content: bytes) -> str:
    return base64.b64encode(content).decode()


def send(folder: PrivateFolder, name: str, content: bytes, step: int = 50):
    folder.begin(name, len(content))
    path = None
    for number, start in enumerate(range(0, len(content), step)):
        path = folder.add(name, number, piece(content[start : start + step]))
    return path


def test_an_upload_arrives_whole_in_a_folder_that_only_this_account_can_read():
    folder = PrivateFolder()
    path = send(folder, "mine.vcf", VCF)
    assert path.read_bytes() == VCF
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    folder.close()


def test_everything_is_gone_when_the_session_ends():
    folder = PrivateFolder()
    path = send(folder, "mine.vcf", VCF)
    folder.begin("half.vcf", 1_000)
    folder.close()
    assert not path.parent.exists()


def test_everything_is_gone_when_a_session_is_forgotten_without_being_closed():
    folder = PrivateFolder()
    parent = send(folder, "mine.vcf", VCF).parent
    del folder
    gc.collect()
    assert not parent.exists()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.vcf", "a/b.vcf", "..vcf", ".hidden.vcf", "me.txt", "me.vcf.exe", "", "x" * 120 + ".vcf",
        "a\0.vcf", "a\\b.vcf", "a\nb.vcf", " .vcf", "a##idx##b.vcf", "ü" * 101 + ".vcf",
    ],
)  # fmt: skip
def test_a_name_that_is_no_plain_vcf_name_is_refused(name):
    with pytest.raises(DataError):
        PrivateFolder().begin(name, 100)


@pytest.mark.parametrize(
    "name",
    ["my genome (1) [v2].vcf", "Müller.vcf.gz", "Mu\u0308ller.vcf", "ゲノム.bcf", "it's 50 % & more.vcf"],
)
def test_names_as_people_give_them_are_taken(name):
    folder = PrivateFolder()
    assert send(folder, name, VCF).name == name
    assert list(folder.path.iterdir()) == [folder.path / name]
    folder.close()


def test_an_empty_file_is_called_empty():
    with pytest.raises(DataError, match=r"me\.vcf is empty"):
        PrivateFolder().begin("me.vcf", 0)


_OWNER = """
import sys, time
from phenviz.app.shell.uploads import PrivateFolder
folder = PrivateFolder()
(folder.path / "mine.vcf").write_text("x")
print(folder.path, flush=True)
time.sleep(600)
"""


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    owners = [
        subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        left, kept = (Path(owner.stdout.readline().strip()) for owner in owners)
        mine = PrivateFolder()
        (tmp_path / "phenviz-upload-link").symlink_to(tmp_path.parent)
        assert mine.path.parent == left.parent == tmp_path
        owners[0].kill()
        owners[0].wait()
        assert left.exists() and remove_stale() == 1
        assert not left.exists() and (kept / "mine.vcf").exists() and mine.path.exists()
        mine.close()
    finally:
        for owner in owners:
            owner.kill()
            owner.communicate()


def test_all_pages_of_a_tab_have_its_file_and_the_last_one_removes_it():
    tabs, tab = OwnFiles(), "a" * 24
    first = OwnFile()
    assert tabs.join(tab, first) is first
    path = send(first.folder, "mine.vcf", VCF)
    first.take(path)
    second = tabs.join(tab, OwnFile())
    assert second is first and tabs.join("b" * 24, OwnFile()).path is None
    first.leave()
    assert path.exists()
    second.leave()
    assert not path.exists()
    assert tabs.join(tab, OwnFile()).path is None


def test_a_tab_without_a_name_of_its_own_shares_nothing():
    tabs = OwnFiles()
    first, second = OwnFile(), OwnFile()
    assert tabs.join("", first) is first and tabs.join("", second) is second


@pytest.mark.parametrize("size", [0, -5, 2_000])
def test_a_size_out_of_bounds_is_refused(size):
    with pytest.raises(DataError, match="at most"):
        PrivateFolder(largest=1_000).begin("me.vcf", size)


def test_more_than_was_announced_is_refused_and_removed():
    folder = PrivateFolder()
    folder.begin("me.vcf", 30)
    with pytest.raises(DataError, match="larger than was announced"):
        folder.add("me.vcf", 0, piece(VCF))
    assert list(folder.path.iterdir()) == []
    with pytest.raises(DataError, match="not announced"):
        folder.add("me.vcf", 1, piece(VCF))
    folder.close()


@pytest.mark.parametrize("content", [b"MZ\x90\x00 a program", b"\x89PNG\r\n", b"#CHROM\tPOS\n"])
def test_what_does_not_begin_like_a_vcf_is_refused(content):
    folder = PrivateFolder()
    folder.begin("me.vcf.gz", 1_000)
    with pytest.raises(DataError, match="doesn't begin like a VCF"):
        folder.add("me.vcf.gz", 0, piece(content))
    assert list(folder.path.iterdir()) == []
    folder.close()


def test_a_lost_or_damaged_piece_is_told():
    folder = PrivateFolder()
    folder.begin("me.vcf", 500)
    folder.add("me.vcf", 0, piece(VCF[:40]))
    with pytest.raises(DataError, match="lost"):
        folder.add("me.vcf", 2, piece(VCF[40:]))
    folder.begin("me.vcf", 500)
    with pytest.raises(DataError, match="damaged"):
        folder.add("me.vcf", 0, "!!!")
    folder.close()


def test_a_file_in_use_stays_until_another_of_its_name_is_whole():
    folder = PrivateFolder()
    path = send(folder, "mine.vcf", VCF)
    longer = VCF + b"20\t5\t.\tA\tC\n"
    folder.begin("mine.vcf", len(longer))
    folder.add("mine.vcf", 0, piece(longer[:60]))
    assert path.read_bytes() == VCF
    folder.add("mine.vcf", 1, piece(longer[60:]))
    assert path.read_bytes() == longer
    assert list(folder.path.iterdir()) == [path] and stat.S_IMODE(path.stat().st_mode) == 0o600
    folder.close()


def test_an_upload_that_fails_leaves_the_file_before_it_as_it_was():
    folder = PrivateFolder()
    path = send(folder, "mine.vcf", VCF)
    with pytest.raises(DataError, match="doesn't begin like a VCF"):
        send(folder, "mine.vcf", b"no VCF at all")
    assert path.read_bytes() == VCF and list(folder.path.iterdir()) == [path]
    folder.close()


def test_only_files_of_variants_that_lie_in_the_servers_folder_itself_are_offered(tmp_path):
    inside, outside = tmp_path / "files", tmp_path / "secret.vcf"
    inside.mkdir()
    outside.write_bytes(VCF)
    (inside / "cohort.vcf").write_bytes(VCF)
    (inside / "notes.txt").write_text("no")
    (inside / "link.vcf").symlink_to(outside)
    (inside / "folder.vcf").mkdir()
    for store in ("cohort.vcz", "cohort.zarr"):
        (inside / store).mkdir()
    (inside / "cohort.pgen").write_bytes(b"\x6c\x1b\x10")
    (inside / "cohort.pvar").write_text("part of the fileset")
    (inside / "link.vcz").symlink_to(tmp_path)
    names = [path.name for path in files_of(inside)]
    assert names == ["cohort.pgen", "cohort.vcf", "cohort.vcz", "cohort.zarr"]


def test_a_source_that_is_not_offered_cannot_be_opened(tmp_path, toy_project):
    people = People(open_world(toy_project), tmp_path)
    for source in ("file:../secret.vcf", "file:/etc/passwd", "world", "nonsense"):
        with pytest.raises(DataError):
            people.open(source)
    assert people.open(UPLOAD) is None
    assert len(people.samples(UPLOAD)) == 0


def test_a_second_upload_takes_the_place_of_the_first(toy_project):
    people = People(open_world(toy_project))
    first, second = send(people.uploads, "a.vcf", VCF), send(people.uploads, "b.vcf", VCF)
    people.take(first)
    assert list(people.samples(UPLOAD)["sample"]) == ["me"]
    people.take(second)
    assert not first.exists() and dict(people.sources())[UPLOAD] == "b.vcf"
    people.close()
    assert not second.exists()

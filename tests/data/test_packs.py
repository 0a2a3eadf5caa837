import threading
from typing import ClassVar

import pytest
import requests

from phenviz.data import packs
from phenviz.data.cache import cache_root
from phenviz.errors import Cancelled, DataError
from phenviz.progress import Progress

_PEAKS = "Ery_peaks.narrowPeak.gz"


def test_every_pack_says_where_from_how_large_and_under_what_licence():
    assert len(packs.list_packs()) >= 13
    for pack in packs.list_packs():
        assert pack.title and pack.description and pack.licence and pack.citation, pack.name
        for file in pack.files:
            # a checksum that isn't published is never made up: both or none
            known = file.bytes > 0 and len(file.sha256) == 64
            assert file.url.startswith("https://") and file.size > 0 and (known or not file.sha256), file
            assert known or not file.bytes, file


def test_a_pack_is_fetched_whole_from_a_mirror(toy_pack):
    folder = packs.fetch_pack("toy-pack", mirror=toy_pack)
    assert (folder / _PEAKS).read_bytes() == (toy_pack / "toy-pack" / _PEAKS).read_bytes()
    assert (folder / "notes" / "README.txt").is_file()
    assert packs.has_pack("toy-pack")
    assert [check.problem for check in packs.verify_packs()] == ["", ""]


def test_the_mirror_may_be_named_by_the_environment(toy_pack, monkeypatch):
    monkeypatch.setenv("PHENVIZ_MIRROR", str(toy_pack))
    # even what wasn't fetched is found there
    assert packs.pack_path("toy-pack", _PEAKS) == toy_pack / "toy-pack" / _PEAKS
    assert packs.fetch_pack("toy-pack").is_dir()
    assert packs.pack_path("toy-pack", _PEAKS) == cache_root() / "packs" / "toy-pack" / _PEAKS


def test_progress_counts_bytes_and_fetched_files_are_not_fetched_again(toy_pack):
    seen = []
    watch = Progress(lambda stage, fraction: seen.append((stage, fraction)))
    packs.fetch_pack("toy-pack", mirror=toy_pack, progress=watch)
    assert seen[0] == ("fetching toy-pack", 0.0) and seen[-1][1] == 1.0
    for name in (_PEAKS, "notes/README.txt"):
        (toy_pack / "toy-pack" / name).unlink()
    packs.fetch_pack("toy-pack", mirror=toy_pack)


def test_a_changed_file_is_refused_and_nothing_is_kept(toy_pack):
    path = toy_pack / "toy-pack" / _PEAKS
    path.write_bytes(path.read_bytes().replace(b"chr20", b"chr21"))
    with pytest.raises(DataError) as caught:
        packs.fetch_pack("toy-pack", mirror=toy_pack)
    message = str(caught.value)
    expected = packs.find_pack("toy-pack").file(_PEAKS).sha256
    assert str(path) in message and expected in message and "got" in message
    assert packs.sha256_of(path) in message
    assert not list((cache_root() / "packs" / "toy-pack").iterdir())


def test_a_cancelled_fetch_leaves_no_half_file(toy_pack):
    stop = threading.Event()
    watch = Progress(lambda stage, fraction: stop.set() if fraction else None, cancel_event=stop)
    with pytest.raises(Cancelled):
        packs.fetch_pack("toy-pack", mirror=toy_pack, progress=watch)
    assert not list((cache_root() / "packs" / "toy-pack").iterdir())


def test_a_mirror_without_the_pack_is_said(toy_pack, tmp_path):
    (toy_pack / "toy-pack" / _PEAKS).unlink()
    with pytest.raises(DataError, match="the mirror has no"):
        packs.fetch_pack("toy-pack", mirror=toy_pack)
    with pytest.raises(DataError, match="isn't there"):
        packs.fetch_pack("toy-pack", mirror=tmp_path / "nowhere")


def _answer(status, reason):
    reply = requests.Response()
    reply.status_code, reply.reason, reply.url = status, reason, "https://example.invalid/Ery"
    return reply


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (requests.ConnectionError("HTTPSConnectionPool(host=...)"), "there is no connection to the server"),
        (requests.ConnectTimeout("HTTPSConnectionPool(host=...)"), "didn't answer within 30 seconds"),
        (_answer(404, "Not Found"), "answered 404 Not Found"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_a_failed_download_is_said_in_words_with_the_way_out(toy_pack, monkeypatch, failure, words):
    def get(*args, **kwargs):
        if isinstance(failure, Exception):
            raise failure
        return failure

    monkeypatch.setattr(requests, "get", get)
    with pytest.raises(DataError, match=rf"{words}\..*PHENVIZ_MIRROR") as told:
        packs.fetch_pack("toy-pack")
    assert "HTTPSConnectionPool" not in str(told.value)


def test_a_download_is_checked_like_a_copy(toy_pack, monkeypatch):
    class Reply:
        headers: ClassVar = {"content-length": "5"}

        def raise_for_status(self):
            pass

        def iter_content(self, chunk_size):
            yield b"wrong"

    monkeypatch.setattr(requests, "get", lambda *args, **kwargs: Reply())
    with pytest.raises(DataError, match=r"https://example\.invalid/Ery.*expected sha256 .* got "):
        packs.fetch_pack("toy-pack")
    assert not list((cache_root() / "packs" / "toy-pack").iterdir())


def test_a_missing_pack_says_which_how_large_and_what_to_run(toy_pack):
    assert packs.pack_path("toy-pack", _PEAKS) is None
    with pytest.raises(
        packs.PackMissing, match=r"toy-pack \(Toy peaks, 0\.0 MB\).*phenviz data fetch toy-pack"
    ):
        packs.require_pack("toy-pack", _PEAKS)


def test_unknown_names_bring_the_nearest(toy_pack):
    with pytest.raises(DataError, match="did you mean toy-pack"):
        packs.find_pack("toypack")
    with pytest.raises(DataError, match=r"no file .Ery_peaks\.narrowPeak. .did you mean Ery_peaks"):
        packs.pack_path("toy-pack", "Ery_peaks.narrowPeak")


def test_verify_tells_damaged_missing_and_whole_files_apart(toy_pack):
    folder = packs.fetch_pack("toy-pack", mirror=toy_pack)
    (folder / _PEAKS).write_bytes(b"x" * (folder / _PEAKS).stat().st_size)
    (folder / "notes" / "README.txt").unlink()
    problems = [check.problem for check in packs.verify_packs()]
    assert problems[0].startswith("sha256") and problems[1] == "missing"


def test_the_embedded_files_are_those_of_their_manifest():
    assert [check for check in packs.verify_embedded() if check.problem] == []


@pytest.mark.packs
@pytest.mark.parametrize(
    "pack",
    # the others' content isn't known before somebody fetches it
    [pack for pack in packs.list_packs() if all(file.sha256 for file in pack.files)],
    ids=lambda pack: pack.name,
)
def test_the_mirror_holds_what_the_manifests_name(pack, pack_mirror):
    folder = packs.fetch_pack(pack.name, mirror=pack_mirror)
    assert [file.name for file in pack.files if not (folder / file.name).is_file()] == []


def test_a_pack_that_the_package_carries_is_there_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path))
    monkeypatch.delenv("PHENVIZ_MIRROR", raising=False)
    assert packs.has_pack("1000g-eur203-chr20")
    folder = packs.fetch_pack("1000g-eur203-chr20")
    assert sorted(path.name for path in folder.iterdir()) == ["unphased.vcf.gz", "unphased.vcf.gz.csi"]
    assert [check.problem for check in packs.verify_packs()] == [""] * 4

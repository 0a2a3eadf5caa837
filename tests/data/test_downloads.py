from __future__ import annotations

import errno
import gzip
import hashlib
import json
import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.data import downloads, manifests, packs, terms
from phenviz.data.cache import cache_root, only_one
from phenviz.errors import Cancelled, DataError
from phenviz.progress import NO_PROGRESS, Progress
from tests.data.web import Behaviour, web_server

BODY = np.random.default_rng(0).bytes(300_000)
ZIPPED = gzip.compress(BODY, mtime=0)


@pytest.fixture
def make_pack(tmp_path, monkeypatch):
    """Make one data pack of one file; its fields as they are given."""
    monkeypatch.setenv("PHENVIZ_CONFIG", str(tmp_path / "config"))
    folder = tmp_path / "manifests"
    folder.mkdir()
    shutil.copy(manifests.MANIFEST_DIR / "embedded.yaml", folder)
    monkeypatch.setattr(manifests, "MANIFEST_DIR", folder)

    def make(url: str, known: bytes | None = None, pack: dict | None = None, **fields) -> None:
        file = {"name": url.rsplit("/", 1)[1], "url": url, **fields}
        if known is not None:
            file |= {"bytes": len(known), "sha256": hashlib.sha256(known).hexdigest()}
        entries = {
            "name": "toy",
            "title": "Toy",
            "description": "For tests.",
            "licence": "CC0",
            "citation": "none",
        }
        (folder / "toy.yaml").write_text(yaml.safe_dump({**entries, **(pack or {}), "files": [file]}))
        manifests.list_packs.cache_clear()

    yield make
    manifests.list_packs.cache_clear()


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_cut_connection_is_taken_up_where_it_ended(make_pack):
    behaviour = Behaviour({"/a.bin": BODY}, cut_after=100_000)
    seen = []
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        folder = packs.fetch_pack("toy", progress=Progress(lambda stage, done: seen.append(done)))
    assert (folder / "a.bin").read_bytes() == BODY and _left(folder) == ["a.bin"]
    starts = [int(asked.strip("bytes=-") or 0) for _, asked in behaviour.requests]
    assert len(starts) > 2 and starts == sorted(set(starts)) and starts[0] == 0
    assert max(seen) == 1.0 and seen == sorted(seen)


def test_a_download_that_was_left_is_gone_on_with_later(make_pack):
    stop = threading.Event()
    behaviour = Behaviour({"/a.bin": BODY})
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        with pytest.raises(Cancelled):
            packs.fetch_pack(
                "toy", progress=Progress(lambda stage, done: stop.set() if done > 0.5 else None, None, stop)
            )
        folder = cache_root() / "packs" / "toy"
        assert not (folder / "a.bin").exists() and not packs.has_pack("toy")
        part = next(path for path in folder.iterdir() if path.suffix == ".part")
        have = part.stat().st_size
        packs.fetch_pack("toy")
    assert 150_000 < have < 300_000 and behaviour.requests[1][1] == f"bytes={have}-"
    assert (folder / "a.bin").read_bytes() == BODY and _left(folder) == ["a.bin"]


@pytest.mark.parametrize(
    "change", [{"etag": '"two"'}, {"ranges": False}], ids=["another version", "no ranges"]
)
def test_what_can_not_be_gone_on_with_is_fetched_from_its_beginning(make_pack, change):
    behaviour = Behaviour({"/a.bin": BODY[::-1]}, cut_after=100_000)
    stop = threading.Event()
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        watch = Progress(lambda stage, done: stop.set() if done > 0.2 else None, None, stop)
        with pytest.raises(Cancelled):
            packs.fetch_pack("toy", progress=watch)
        for name, value in {**change, "content": {"/a.bin": BODY}, "cut_after": 0}.items():
            setattr(behaviour, name, value)
        folder = packs.fetch_pack("toy")
    assert (folder / "a.bin").read_bytes() == BODY


def test_a_server_that_always_cuts_at_once_is_given_up_with_what_came_kept(make_pack):
    behaviour = Behaviour({"/a.bin": BODY}, cut_after=100_000, ranges=False)
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        with pytest.raises(DataError, match="the connection was cut, again and again"):
            packs.fetch_pack("toy")
    assert len(behaviour.requests) <= 3 and not (cache_root() / "packs" / "toy" / "a.bin").exists()


def test_redirects_are_followed_but_not_in_a_circle(make_pack):
    behaviour = Behaviour({"/a.bin": BODY}, redirects={"/old/a.bin": "/a.bin", "/loop/a.bin": "/loop/a.bin"})
    with web_server(behaviour) as address:
        make_pack(f"{address}/old/a.bin", BODY)
        assert (packs.fetch_pack("toy") / "a.bin").read_bytes() == BODY
        packs.remove_pack("toy")
        make_pack(f"{address}/loop/a.bin", BODY)
        with pytest.raises(DataError, match="from one address to the next without end"):
            packs.fetch_pack("toy")


def test_a_redirect_away_from_encryption_is_refused():
    with pytest.raises(DataError, match="isn't encrypted"):
        downloads._refuse_unsafe("https://example.org/a", "http://example.org/a")
    downloads._refuse_unsafe("https://example.org/a", "https://mirror.example.org/a")


@pytest.mark.parametrize("claimed", [200_000, 400_000], ids=["too short", "too long"])
@pytest.mark.parametrize("known", [True, False], ids=["checksum", "none"])
def test_a_wrong_length_never_makes_half_a_file_whole(make_pack, claimed, known):
    behaviour = Behaviour({"/a.gz": ZIPPED}, claimed_length=claimed)
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.gz", ZIPPED if known else None)
        with pytest.raises(DataError, match=r"expected sha256|is cut short or no gzip|was cut|no connection"):
            packs.fetch_pack("toy")
    assert not (cache_root() / "packs" / "toy" / "a.gz").exists() and not packs.has_pack("toy")


def test_a_file_that_is_longer_than_its_manifest_says_is_stopped(make_pack):
    behaviour = Behaviour({"/a.bin": BODY + b"more" * 100_000})
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        with pytest.raises(DataError, match="sends more than the 300,000 bytes"):
            packs.fetch_pack("toy")
    assert not (cache_root() / "packs" / "toy" / "a.bin").exists()


def test_an_answer_without_a_length_is_read_to_its_end(make_pack):
    with web_server(Behaviour({"/a.bin": BODY}, chunked=True)) as address:
        make_pack(f"{address}/a.bin", BODY)
        assert (packs.fetch_pack("toy") / "a.bin").read_bytes() == BODY


def test_a_file_without_a_checksum_is_trusted_once_and_verified_afterwards(make_pack):
    behaviour = Behaviour({"/a.gz": ZIPPED})
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.gz", about=300_000)
        assert not packs.has_pack("toy")
        folder = packs.fetch_pack("toy")
        lock = json.loads((folder / "lock.json").read_text())["a.gz"]
        assert lock["sha256"] == hashlib.sha256(ZIPPED).hexdigest() and lock["bytes"] == len(ZIPPED)
        assert packs.has_pack("toy") and [one.problem for one in packs.verify_packs()] == [""]
        packs.fetch_pack("toy")
        assert len(behaviour.requests) == 1
        # damaged on the disk, and changed at its source
        (folder / "a.gz").write_bytes(ZIPPED[:-1] + b"x")
        assert next(packs.verify_packs()).problem.startswith("sha256")
        behaviour.content["/a.gz"] = gzip.compress(BODY[::-1], mtime=0)
        with pytest.raises(DataError, match="expected sha256"):
            packs.fetch_pack("toy")
        packs.remove_pack("toy")
        assert (packs.fetch_pack("toy") / "a.gz").read_bytes() == behaviour.content["/a.gz"]


def test_a_mirror_is_a_folder_or_an_address_and_a_lock_travels_with_it(make_pack, tmp_path, monkeypatch):
    with web_server(Behaviour({"/toy/a.gz": ZIPPED})) as address:
        make_pack("https://example.invalid/a.gz")
        folder = packs.fetch_pack("toy", mirror=address)
        assert (folder / "a.gz").read_bytes() == ZIPPED
    shutil.copytree(folder, tmp_path / "mirror" / "toy")
    packs.remove_pack("toy")
    assert (packs.fetch_pack("toy", mirror=tmp_path / "mirror") / "a.gz").is_file()
    packs.remove_pack("toy")
    (tmp_path / "mirror" / "toy" / "a.gz").write_bytes(b"other")
    with pytest.raises(DataError, match="expected sha256"):
        packs.fetch_pack("toy", mirror=tmp_path / "mirror")
    monkeypatch.setenv("PHENVIZ_MIRROR", "https://example.invalid")
    assert not packs.has_pack("toy")


def test_other_public_addresses_are_tried_in_turn(make_pack):
    with web_server(Behaviour({"/b/a.bin": BODY})) as address:
        make_pack(f"{address}/gone/a.bin", BODY, mirrors=[f"{address}/b/a.bin"])
        assert (packs.fetch_pack("toy") / "a.bin").read_bytes() == BODY


def test_offline_nothing_is_asked_of_the_web_but_a_folder_will_do(make_pack, tmp_path, monkeypatch):
    behaviour = Behaviour({"/a.bin": BODY})
    monkeypatch.setenv("PHENVIZ_OFFLINE", "1")
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        with pytest.raises(DataError, match="PHENVIZ_OFFLINE forbids"):
            packs.fetch_pack("toy")
    assert not behaviour.requests
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    (tmp_path / "mirror" / "toy" / "a.bin").write_bytes(BODY)
    packs.fetch_pack("toy", mirror=tmp_path / "mirror")
    packs.fetch_pack("toy")


Usage = namedtuple("Usage", "total used free")


def test_space_is_looked_at_before_anything_is_fetched(make_pack, monkeypatch):
    behaviour = Behaviour({"/a.bin": BODY})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 100_000))
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        with pytest.raises(DataError, match=r"data pack toy takes 0\.3 MB, and .* has 0\.1 MB left"):
            packs.fetch_pack("toy")
        assert not behaviour.requests
        # of an unknown size, the server tells
        make_pack(f"{address}/a.bin")
        with pytest.raises(DataError, match=r"a\.bin takes 0\.3 MB"):
            packs.fetch_pack("toy")


def test_a_disk_that_fills_up_keeps_what_came_for_the_next_time(make_pack, monkeypatch):
    opened = Path.open

    class Full:
        def __init__(self, file):
            self.file, self.room = file, 100_000

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, block):
            self.room -= len(block)
            if self.room < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(block)

    def small(path, *mode, **how):
        file = opened(path, *mode, **how)
        return Full(file) if path.suffix == ".part" and mode and mode[0] in ("wb", "ab") else file

    behaviour = Behaviour({"/a.bin": BODY})
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        monkeypatch.setattr(Path, "open", small)
        with pytest.raises(DataError, match=r"No space left on device\. What came is kept"):
            packs.fetch_pack("toy")
        monkeypatch.setattr(Path, "open", opened)
        assert (packs.fetch_pack("toy") / "a.bin").read_bytes() == BODY
    assert behaviour.requests[1][1].startswith("bytes=")


def test_a_cache_that_is_read_only_serves_what_it_has_and_says_what_it_cannot(make_pack, monkeypatch):
    with web_server(Behaviour({"/a.bin": BODY})) as address:
        make_pack(f"{address}/a.bin", BODY)
        folder = packs.fetch_pack("toy")

    def refuse(path, *how, **more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr("phenviz.data.cache.write_whole", refuse)
    assert packs.fetch_pack("toy") == folder and packs.has_pack("toy")
    (folder / "a.bin").unlink()
    with pytest.raises(DataError, match="the cache is read-only for you"):
        packs.fetch_pack("toy")


def test_of_two_that_fetch_the_same_pack_one_waits_and_fetches_nothing(make_pack):
    behaviour = Behaviour({"/a.bin": BODY})
    lock = cache_root() / "packs" / ".locks" / "toy.lock"
    found = []
    with web_server(behaviour) as address:
        make_pack(f"{address}/a.bin", BODY)
        with only_one(lock, NO_PROGRESS):
            other = threading.Thread(target=lambda: found.append(packs.fetch_pack("toy")))
            other.start()
            time.sleep(0.3)
            assert not behaviour.requests
            (cache_root() / "packs" / "toy").mkdir(parents=True, exist_ok=True)
            (cache_root() / "packs" / "toy" / "a.bin").write_bytes(BODY)
        other.join(20)
    assert found and not behaviour.requests


def test_waiting_for_another_process_can_be_cancelled(make_pack, tmp_path):
    stop = threading.Event()
    stop.set()
    with only_one(tmp_path / "x.lock", NO_PROGRESS), pytest.raises(Cancelled):
        with only_one(tmp_path / "x.lock", Progress(None, None, stop)):
            pass


TERMS = {"summary": "Non-commercial use only", "url": "https://example.org/terms", "commercial": False}


def test_terms_are_asked_for_once_and_remembered_until_they_change(make_pack):
    def run(*arguments):
        return CliRunner().invoke(main, ["data", *arguments])

    with web_server(Behaviour({"/a.bin": BODY})) as address:
        make_pack(f"{address}/a.bin", BODY, {"terms": TERMS})
        with pytest.raises(terms.TermsNotAccepted, match=r"Non-commercial use only .*--accept-terms"):
            packs.fetch_pack("toy")
        refused = run("fetch", "toy")
        assert refused.exit_code == 1 and "https://example.org/terms" in refused.stderr
        assert "(terms)" in run("list").output
        assert run("fetch", "toy", "--accept-terms").exit_code == 0
        packs.remove_pack("toy")
        assert run("fetch", "toy").exit_code == 0
        make_pack(f"{address}/a.bin", BODY, {"terms": {**TERMS, "summary": "Other terms"}})
        with pytest.raises(terms.TermsNotAccepted, match="Other terms"):
            packs.fetch_pack("toy")


def test_packs_are_found_verified_and_removed_by_name(make_pack):
    def run(*arguments):
        return CliRunner().invoke(main, ["data", *arguments])

    with web_server(Behaviour({"/a.gz": ZIPPED})) as address:
        make_pack(f"{address}/a.gz")
        assert "~" in run("list").output or "? MB" in run("list").output
        missing = run("where", "toy")
        assert missing.exit_code == 1 and "phenviz data fetch toy" in missing.stderr
        assert "not fetched yet" in run("verify", "toy").stderr
        fetched = run("fetch", "toy")
        assert "no checksum is published of a.gz: trusted when first fetched" in fetched.stderr
        assert run("where", "toy").output.strip() == str(cache_root() / "packs" / "toy" / "a.gz")
        assert run("verify", "toy").output == "1 files are whole\n"
        assert "0.3 MB freed" in run("remove", "toy").output and not packs.has_pack("toy")
        assert "nothing in the cache" in run("remove", "toy").output

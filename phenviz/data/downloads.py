"""Files from the web: gone on with where they were cut, and never taken for whole when they aren't."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path

from phenviz.errors import DataError
from phenviz.progress import Progress

TIMEOUT_SECONDS = 30
_CHUNK = 1 << 16
_FROM = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def download(url: str, target: Path, part: Path, progress: Progress, *, size: int = 0) -> None:
    """Fetch a file; what an earlier try left beside it is gone on with.

    A connection that is cut is taken up again (HTTP ``Range``) as long as each try brings something. A
    cancel, a cut connection and a full disk leave what was fetched in ``part``, for the next time.

    Parameters
    ----------
    url
        Where from.
    target
        Where to; written at the end only.
    part
        Where it lies meanwhile, in the same folder.
    progress
        Counts bytes.
    size
        Bytes that it has; 0 where that isn't known.

    Raises
    ------
    DataError
        If it isn't whole, or the server turns to an unsafe address.
    OSError
        If the network or the disk refuses (`requests` raises such).
    """
    from requests import exceptions

    notes = part.with_suffix(".part.json")
    told = _begun(part, notes, url)
    if told:
        progress.advance(part.stat().st_size)
    before = -1
    while True:
        try:
            _transfer(url, part, notes, told, progress, size)
            break
        except (exceptions.ConnectionError, exceptions.ChunkedEncodingError, exceptions.Timeout):
            have = part.stat().st_size if part.exists() else 0
            if have <= before or not have:
                raise
            before, told = have, _begun(part, notes, url)
            if not told:
                progress.advance(-have)
    notes.unlink(missing_ok=True)
    try:
        # what has a checksum is looked at by whoever knows that
        if not size:
            _check_whole(part, url)
    except DataError:
        part.unlink(missing_ok=True)
        raise
    os.replace(part, target)


def _begun(part: Path, notes: Path, url: str) -> Mapping[str, str]:
    """Return what is known of a file that was begun; empty where nothing of use is."""
    try:
        told = json.loads(notes.read_text(encoding="utf-8"))
        if part.stat().st_size and told["url"] == url and told["version"]:
            return dict(told)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {}


def _transfer(
    url: str, part: Path, notes: Path, told: Mapping[str, str], progress: Progress, size: int
) -> None:
    """Fetch a file from its beginning, or from where a part of it ends."""
    import requests

    have = part.stat().st_size if told else 0
    # a compressed answer would have another length; the version makes sure that both parts are of one file
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": told["version"]}
    answer = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS)
    if have and getattr(answer, "status_code", 200) == 416:
        # nothing is left to send: all is here, or the file is another one now, which its checksum tells
        answer.close()
        return
    answer.raise_for_status()
    _refuse_unsafe(url, str(getattr(answer, "url", url)))
    found = _FROM.match(str(answer.headers.get("content-range", "")))
    goes_on = bool(have and found and int(found[1]) == have)
    if have and not goes_on:
        progress.advance(-have)
        have = 0
    version = answer.headers.get("etag", "") or answer.headers.get("last-modified", "")
    # a weak tag doesn't promise the same bytes
    version = "" if version.startswith("W/") else version
    length = int(answer.headers.get("content-length") or 0)
    require_space(part.parent, max(length, size - have), url)
    notes.write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")
    with part.open("ab" if goes_on else "wb") as file:
        for block in answer.iter_content(chunk_size=_CHUNK):
            have += len(block)
            if size and have > size:
                raise DataError(
                    f"{url} sends more than the {size:,} bytes that the manifest names: nothing was kept"
                )
            file.write(block)
            progress.advance(len(block))


def _refuse_unsafe(asked: str, found: str) -> None:
    if asked.startswith("https://") and not found.startswith("https://"):
        raise DataError(
            f"{asked} leads to {found}, which isn't encrypted: nothing was fetched; please report it"
        )


def _check_whole(part: Path, url: str) -> None:
    """Raise where a file without a checksum can be seen to be cut."""
    found = part.stat().st_size
    if not found:
        raise DataError(f"{url} is empty: nothing was kept; try again later")
    if url.endswith((".gz", ".bgz")):
        try:
            with gzip.open(part) as packed:
                while packed.read(1 << 22):
                    pass
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{url} is cut short or no gzip file ({error}): nothing was kept; try again later"
            ) from error


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise where a disk hasn't room for so many bytes.

    Raises
    ------
    DataError
        Says how much is lacking, and where.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{what} takes {needed / 1e6:,.1f} MB, and {folder} has {free / 1e6:,.1f} MB left: free some "
            "room, or set PHENVIZ_CACHE to a folder on another disk"
        )


def reason(error: OSError) -> str:
    """Say in words why a file couldn't be fetched; requests' errors, OSErrors too, tell of its own inside."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, exceptions.TooManyRedirects):
        return "the server sends from one address to the next without end"
    if isinstance(error, exceptions.Timeout):
        return f"the server didn't answer within {TIMEOUT_SECONDS} seconds"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection was cut, again and again"
    if isinstance(error, exceptions.ConnectionError):
        return "there is no connection to the server"
    return error.strerror or str(error)

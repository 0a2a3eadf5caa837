from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from phenviz.data import manifests

_PEAKS = "_peaks.narrowPeak.gz"
TOY_FILES = {
    "Ery_peaks.narrowPeak.gz": b"chr20\t100\t300\tp1\t10\t.\t5.5\t3\t2\t40\n",
    "notes/README.txt": b"read me\n",
}


# taken before a test hides it
_MIRROR = os.environ.get("PHENVIZ_MIRROR", "")


@pytest.fixture
def pack_mirror() -> Path:
    """Return the mirror directory with the real packs; skip where there is none."""
    if not _MIRROR or not Path(_MIRROR).is_dir():
        pytest.skip("no mirror of the data packs: set PHENVIZ_MIRROR")
    return Path(_MIRROR)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PHENVIZ_MIRROR", raising=False)


@pytest.fixture
def toy_pack(tmp_path, monkeypatch) -> Iterator[Path]:
    """Make `toy-pack` the only data pack; return a mirror directory that has it."""
    folder, mirror = tmp_path / "manifests", tmp_path / "mirror"
    folder.mkdir()
    for name, content in TOY_FILES.items():
        path = mirror / "toy-pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    files = [
        {
            "name": name,
            "url": f"https://example.invalid/{name}",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **({"context": name.removesuffix(_PEAKS)} if name.endswith(_PEAKS) else {}),
        }
        for name, content in TOY_FILES.items()
    ]
    entries = {"name": "toy-pack", "title": "Toy peaks", "description": "For tests.", "files": files}
    (folder / "toy-pack.yaml").write_text(yaml.safe_dump(entries))
    shutil.copy(manifests.MANIFEST_DIR / "embedded.yaml", folder)
    monkeypatch.setattr(manifests, "MANIFEST_DIR", folder)
    manifests.list_packs.cache_clear()
    yield mirror
    manifests.list_packs.cache_clear()

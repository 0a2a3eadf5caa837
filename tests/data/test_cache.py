"""Files of ours: whole or not at all, and readable by those whom the umask lets read them."""

from __future__ import annotations

import os
import stat

import pytest

from phenviz.data.cache import write_whole
from phenviz.genome import ReferenceGenome


@pytest.fixture
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077], indirect=True)
def test_a_file_gets_the_permissions_that_the_umask_leaves(tmp_path, umask):
    write_whole(tmp_path / "weights.safetensors", b"content")
    (tmp_path / "toy.fa").write_text(">1\nACGT\n")
    ReferenceGenome(tmp_path / "toy.fa", assembly="toy", cache_dir=tmp_path / "cache").codes("1")
    written = [tmp_path / "weights.safetensors", *(tmp_path / "cache").rglob("*.*")]
    assert len(written) > 1
    for path in written:
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_what_could_not_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "taken", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]

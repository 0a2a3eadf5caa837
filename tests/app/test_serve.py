from __future__ import annotations

from types import SimpleNamespace

import pytest

from phenviz.app import serve as module


@pytest.mark.parametrize(
    ("address", "packed"), [("localhost", False), ("127.0.0.1", False), ("0.0.0.0", True)]
)
def test_scripts_are_packed_on_their_way_to_other_machines_only(monkeypatch, address, packed):
    runtime = SimpleNamespace()
    runtime.warm = runtime.start = lambda: runtime
    monkeypatch.setattr(module, "Runtime", lambda *_: runtime)
    monkeypatch.setattr(module.pn, "serve", lambda _routes, **options: options)
    assert module.serve(SimpleNamespace(), address=address)["compress_response"] is packed

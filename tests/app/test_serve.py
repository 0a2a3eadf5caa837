from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from phenviz.app.shell import serve as module
from phenviz.app.shell.process_memory import Housekeeping


@pytest.mark.parametrize(
    ("address", "packed"), [("localhost", False), ("127.0.0.1", False), ("0.0.0.0", True)]
)
def test_scripts_are_packed_on_their_way_to_other_machines_only(monkeypatch, address, packed):
    runtime = SimpleNamespace(service_ready=Future())
    # what the tests make isn't to be set aside
    monkeypatch.setattr(module, "HOUSEKEEPING", Housekeeping())
    monkeypatch.setattr("phenviz.app.shell.process_memory.gc.freeze", lambda: None)
    runtime.warm = runtime.start = lambda: runtime
    monkeypatch.setattr(module, "Runtime", lambda *_: runtime)
    monkeypatch.setattr(module.pn, "serve", lambda _routes, **options: options)
    assert module.serve(SimpleNamespace(), address=address)["compress_response"] is packed

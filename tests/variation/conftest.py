from __future__ import annotations

import pytest

from phenviz.data.cache import cache_dir
from phenviz.data.embedded import ASSEMBLY, REFERENCE
from phenviz.genome import ReferenceGenome


@pytest.fixture(scope="session")
def reference(toy_world) -> ReferenceGenome:
    return toy_world.reference


@pytest.fixture(scope="session")
def grch37() -> ReferenceGenome:
    return ReferenceGenome(REFERENCE, assembly=ASSEMBLY, cache_dir=cache_dir())

"""Test 16 blood traits with the embedded model, for the Disease page to have something to show at once.

Usage::

    phenviz data fetch ukbb-blood-finemap blood16-atac nott2019-brain fetal-intestine-dnase
    python scripts/build_embedded_hypotheses.py        # after another backbone was embedded; minutes
    python scripts/build_embedded_world.py             # the manifest

Runs the method that is recommended and those that the page asks for by itself, with its number of draws, and
writes ``hypotheses.nc`` into the embedded world.
"""

from __future__ import annotations

from phenviz.app.disease.disease_state import DEFAULT_METHODS, DiseaseState
from phenviz.data.embedded import HYPOTHESES, PEAK_PACKS
from phenviz.data.packs import PackMissing, find_pack, has_pack
from phenviz.disease.embedded_hypotheses import SOURCE, made_from
from phenviz.disease.methods import RECOMMENDED
from phenviz.saving import save
from phenviz.service import get_service
from phenviz.world import open_world


def main() -> None:
    """Test, and write what was found."""
    for pack in (SOURCE, *PEAK_PACKS):
        if not has_pack(pack):
            raise PackMissing(find_pack(pack))
    draws = int(DiseaseState.param["permutations"].default)
    service = get_service(open_world())
    # as the page asks for them
    asked = (RECOMMENDED, *DEFAULT_METHODS)
    found = service.hypotheses(SOURCE, method=asked, permutations=draws, seed=0)
    save(found.assign_attrs(made_from=made_from()), HYPOTHESES)
    print(f"{dict(found.sizes)} -> {HYPOTHESES.name}, {HYPOTHESES.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

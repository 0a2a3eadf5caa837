"""Fine-mapped variants for the tracks, of the data packs of traits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phenviz.app.disease.disease_run import TRAIT_PACKS
from phenviz.data.packs import find_pack, has_pack

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.app.shell.runtime import Runtime


def read_finemapped(runtime: Runtime) -> pd.DataFrame | None:
    """Read the fine-mapped variants of all packs that are here; None where there is none."""
    import pandas as pd

    from phenviz.disease.reading import read_trait_pack

    names = [name for name in finemapped_packs(runtime) if has_pack(name)]
    tables = [read_trait_pack(name, runtime.world.reference).table.assign(source=name) for name in names]
    return pd.concat(tables, ignore_index=True) if tables else None


def finemapped_packs(runtime: Runtime) -> list[str]:
    """Name the packs of fine-mapped variants on the world's assembly, whether they are here or not."""
    return [name for name in TRAIT_PACKS if find_pack(name).assembly == runtime.world.assembly]

"""Effects of variants as a result object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.effects.rows import REASONS, VariantRows
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.results import context_coords, position_coord, result_attrs, text_array


def variants_dataset(
    values: Mapping[str, NDArray[np.float32]],
    rows: VariantRows,
    contexts: Sequence[Context],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    definition: str,
    units: str,
    **extra: Any,
) -> xr.Dataset:
    """Put numbers of variants (variant, context) into a Dataset with the coordinates of `score_variants`."""
    attrs = variants_attrs(rows, reference, backbone, definition=definition, units=units, **extra)
    return xr.Dataset(
        {name: (("variant", "context"), numbers) for name, numbers in values.items()},
        coords={**variant_coords(rows), **context_coords(contexts)},
        attrs=attrs,
    )


def join_scores(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join scores of several tables into one, in their order.

    Parameters
    ----------
    parts
        Results of `phenviz.effects.score_variants` with the same model and contexts.
    """
    if len(parts) == 1:
        return parts[0]
    # empty tables say nothing about where variants lie
    filled = [part for part in parts if part.sizes["variant"]] or list(parts[:1])
    joined = xr.concat(
        filled, dim="variant", data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    attrs = dict(filled[0].attrs)
    contigs = sorted(set(joined["contig"].values.tolist()))
    if len(contigs) > 1:
        attrs.pop("contig_length", None)
        attrs |= {"contig": ", ".join(contigs), "start": 0}
    else:
        attrs["start"] = min(part.attrs["start"] for part in filled)
    attrs["end"] = max(part.attrs["end"] for part in filled)
    attrs.pop("skipped", None)
    joined.attrs = attrs | _skipped(joined["status"].values)
    return joined


def variants_attrs(
    rows: VariantRows,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    definition: str,
    units: str,
    **extra: Any,
) -> dict[str, Any]:
    """Make the attributes of a result about variants; ``skipped`` counts rows that can't be scored.

    ``contig``, ``start`` and ``end`` are those of the variants where they lie on one contig; of variants on
    several, ``contig`` names all of them, ``start`` is 0 and ``end`` the largest end.
    """
    anywhere = Locus(next(iter(reference.contigs)), 0, 1)
    attrs = result_attrs(anywhere, backbone, reference, definition=definition, units=units, **extra)
    del attrs["contig_length"]
    return attrs | _place(rows, reference) | _skipped(rows.status)


def variant_coords(rows: VariantRows) -> dict[str, tuple[Any, ...]]:
    """Make the coordinates on dimension ``variant``, as the table has them; positions count from 1."""
    texts = {name: ("variant", text_array(rows.given[name])) for name in ("contig", "ref", "alt", "id")}
    position = position_coord(rows.given["position"].to_numpy() - 1, "variant")
    return {
        "contig": texts["contig"],
        "position": position,
        **{name: texts[name] for name in ("ref", "alt", "id")},
        "status": ("variant", text_array(rows.status)),
    }


def _place(rows: VariantRows, reference: ReferenceGenome) -> dict[str, Any]:
    # of an unknown contig it is what the table holds, which may be a text of NumPy's
    contigs = sorted({str(name) for name in rows.contig})
    if not contigs:
        return {"contig": "", "start": 0, "end": 0}
    start = rows.given["position"].to_numpy() - 1
    end = int((start + rows.given["ref"].str.len().to_numpy()).max())
    if len(contigs) > 1:
        return {"contig": ", ".join(contigs), "start": 0, "end": end}
    length = {"contig_length": reference.contigs[contigs[0]]} if contigs[0] in reference.contigs else {}
    return {"contig": contigs[0], "start": int(start.min()), "end": end, **length}


def _skipped(status: Iterable[object]) -> dict[str, str]:
    counts = Counter(str(one) for one in status)
    words = [f"{counts[reason]:,} {reason}" for reason in REASONS if counts[reason]]
    return {"skipped": ", ".join(words)} if words else {}

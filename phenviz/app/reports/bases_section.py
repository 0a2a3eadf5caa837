"""Which bases of a locus matter: a figure, the strongest bases and the motifs over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.app.explore.top_bases import LARGEST_Q, motifs_of, strongest_bases, with_motifs
from phenviz.figures import explore_figure
from phenviz.figures.report import Attachment, Block, Drawing, Figures, Section, Table, Words
from phenviz.genome.locus import file_stem
from phenviz.results import contribution, kind_of, locus_of
from phenviz.results.comments import comments

if TYPE_CHECKING:
    from phenviz.world import World

_BASES, _MOTIFS = 15, 20
# of more bases, the numbers are a matter of the command line
_LONGEST_DRAWN = 20_000
MOTIF_METHOD = (
    "Motifs: intervals of 4 to 25 bases whose summed contribution is larger than independent draws give "
    "(recursive seqlets, tangermeme) were compared with known motifs on both strands (TOMTOM, memelite); "
    "q-values are those of Benjamini and Hochberg after Sidak's correction for the choice of the best motif."
)


def focus_of(bases: xr.Dataset, wanted: str = "") -> str:
    """Return the context whose bases are explained: the wanted one, or where they matter most.

    Of a result without contexts, such as of a trait, it is the target.
    """
    if "context" not in bases.dims:
        return str(bases.attrs.get("target", "the target"))
    names = bases["context"].values.astype(str).tolist()
    if wanted in names:
        return wanted
    values = contribution(bases) if kind_of(bases) == "mutagenesis" else bases["attribution"]
    return names[int(np.abs(np.nan_to_num(values.transpose("position", "context"))).max(0).argmax())]


def bases_section(world: World, bases: xr.Dataset, context: str) -> Section:
    """Lay out a mutagenesis or attribution.

    Parameters
    ----------
    bases
        Which.
    context
        From `focus_of`.
    """
    locus, changed = locus_of(bases), kind_of(bases) == "mutagenesis"
    blocks: list[Block] = []
    if locus.length <= _LONGEST_DRAWN:
        named = [context] if "context" in bases.dims else None
        title = f"{locus}, {context}"
        results: dict[str, xr.Dataset] = {"mutagenesis" if changed else "attribution": bases}
        figure = explore_figure(locus, contexts=named, title=title, **results)  # type: ignore[arg-type]
        caption = (
            f"In-silico mutagenesis in {context}: the height of a letter is what the base contributes (minus "
            "the mean effect of its three changes); below, the effect of each change."
            if changed
            else f"What each base adds to {context}."
        )
        blocks.append(Figures([Drawing.of(figure, caption, f"What each base of {locus} does in {context}")]))
    motifs = motifs_of(bases, context, world.project.motifs)
    top = with_motifs(strongest_bases(bases, context, count=_BASES), motifs)
    columns = {
        "position": ("Position", "{:,}"),
        "ref": ("Base", ""),
        "effect": ("Contribution" if changed else "Attribution", "{:+.3f}"),
        **({"strongest change": ("Strongest change", "")} if changed else {}),
        "motif": ("Motif over it", ""),
    }
    told = f"{bases.attrs['definition']} ({bases.attrs['units']})."
    blocks.append(
        Table.of(
            top, columns, caption=f"Bases that matter most in {context}", note=told, file=_bases_file(bases)
        )
    )
    blocks.append(_motif_table(motifs, context))
    return Section("Which bases matter", blocks)


def _bases_file(bases: xr.Dataset) -> Attachment | None:
    if bases.sizes["position"] > _LONGEST_DRAWN:
        return None
    changed = kind_of(bases) == "mutagenesis"
    name = "effect" if changed else "attribution"
    table: pd.Series | pd.DataFrame = bases[name].to_series()
    if "context" in bases.dims:
        table = table.unstack("context", sort=False).add_prefix(f"{name}.")
    stem = file_stem(locus_of(bases))
    return Attachment.of(f"{stem}.{name}.tsv", table.reset_index(), list(comments(bases)))


def _motif_table(motifs: pd.DataFrame, context: str) -> Block:
    if motifs.empty:
        return Words([f"No interval of bases stands out in {context} as a motif would."])
    shown = motifs.assign(
        first=motifs["start"] + 1, sure=np.where(motifs["q_value"] <= LARGEST_Q, "", "as well by chance")
    )
    columns = {
        "motif": ("Motif", ""),
        "motif_id": ("Matrix", ""),
        "first": ("From", "{:,}"),
        "end": ("To", "{:,}"),
        "strand": ("Strand", ""),
        "score": ("Contribution", "{:+.3f}"),
        "p_value": ("p", "{:.1g}"),
        "q_value": ("q", "{:.1g}"),
        "sure": ("", ""),
    }
    note = "Intervals of bases that matter (seqlets), and the known motif that each resembles most (TOMTOM)."
    return Table.of(shown, columns, caption=f"Motifs in {context}", note=note, most=_MOTIFS)


def method_of_bases(bases: xr.Dataset) -> str:
    """Say how a mutagenesis or attribution was made, for a methods section."""
    attrs = bases.attrs
    if kind_of(bases) == "mutagenesis":
        return (
            f"In-silico mutagenesis: each base of {locus_of(bases)} was changed to each of the other three, "
            f"and the change scored as {attrs['definition']} ({attrs['units']}). The contribution of a base "
            "is minus the mean effect of its three changes."
        )
    settings = ", ".join(
        f"{name.removeprefix('n_')} {attrs[name]}"
        for name in ("method", "baseline", "n_steps")
        if name in attrs
    )
    return f"Attribution of {attrs.get('target', 'the target')} to bases: {attrs['definition']} ({settings})."

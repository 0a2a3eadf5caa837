"""One result as a HoloViews object, for a notebook: ``phenviz.view(service.predict("HNF4A"))``."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import xarray as xr

from phenviz.errors import ResultError
from phenviz.genome.locus import shown_contig
from phenviz.results import base_starts, bin_size_of, contribution, kind_of, locus_of
from phenviz.tracks.signed_signal import Bases, label_of
from phenviz.tracks.theme import LIGHT
from phenviz.tracks.viewport import x_of

_POINTS = 4_000
# of more variants, those with the largest effects
_MOST_VARIANTS = 40
# one for each haplotype: the reference in grey, the two copies in colours that everybody can tell apart
_HAPLOTYPES = (LIGHT.muted, "#0072b2", "#d55e00")


def view(dataset: xr.Dataset, context: str | None = None) -> hv.Element | hv.Overlay:
    """Draw a result with sensible settings; positions count from 1.

    Parameters
    ----------
    dataset
        A prediction (heat map of all contexts, or a curve of one; of haplotypes a curve each), a mutagenesis
        (heat map of the alleles), an attribution (curve), effects of variants, expression of genes, or
        hypotheses (heat maps over contexts).
    context
        Context to draw; None for all of a prediction and of those over contexts, and for the first of the
        others.

    Returns
    -------
    hv.Element
        An ``hv.Image``, ``hv.HeatMap`` or ``hv.Curve``, over an ``hv.Area`` of one standard deviation to each
        side where an attribution has several baselines; change it with ``.opts(...)``.

    Raises
    ------
    ResultError
        If it is another kind of dataset, or doesn't hold the context.

    Examples
    --------
    >>> phenviz.view(service.predict("HNF4A"), context="Mono").opts(height=240)  # doctest: +SKIP
    """
    _load_extension()
    kind = kind_of(dataset)
    if context is not None and context not in _names(dataset):
        raise ResultError(
            f"this result has no context {context!r}: it has {', '.join(_names(dataset)) or 'none'}"
        )
    chosen = dataset if context is None else dataset.sel(context=[context])
    if kind == "prediction" and "haplotype" in dataset.dims:
        return _haplotype_curves(dataset, context or _names(dataset)[0])
    if kind == "prediction":
        return _prediction_curve(dataset, context) if context is not None else _prediction_image(dataset)
    if kind == "mutagenesis":
        return _mutagenesis_image(dataset, context or _names(dataset)[0])
    if kind == "attribution":
        return _attribution_curve(dataset, context)
    if kind == "variant effects":
        return _variants_map(chosen)
    if kind == "gene expression":
        return _expression_map(chosen)
    if kind == "effects on expression":
        return _expression_effects_map(chosen)
    if {"trait", "context", "method"} <= set(dataset.dims) and "p_value" in dataset:
        return _hypotheses_map(chosen)
    raise ResultError(
        "only a prediction, a mutagenesis, an attribution, effects of variants, expression of genes or "
        "hypotheses can be viewed: pass what the service returned"
    )


def _names(dataset: xr.Dataset) -> list[str]:
    return [str(name) for name in dataset["context"].to_numpy()] if "context" in dataset.dims else []


def _load_extension() -> None:
    if "bokeh" not in hv.Store.loaded_backends():
        hv.extension("bokeh", logo=False)


def _prediction_image(dataset: xr.Dataset) -> hv.Image:
    values = dataset["activity"].transpose("context", "bin").to_numpy()
    start, size = int(dataset["bin_start"].to_numpy()[0]), bin_size_of(dataset)
    bounds = (x_of(start), 0, x_of(start + size * values.shape[1]), values.shape[0])
    names = _names(dataset)
    ticks = [(len(names) - row - 0.5, name) for row, name in enumerate(names)]
    image = hv.Image(values, bounds=bounds, kdims=["position", "context"], vdims=["activity"])
    return image.opts(
        cmap=list(LIGHT.sequential), yticks=ticks, colorbar=True, tools=["hover"], responsive=True,
        height=max(120, 16 * len(names) + 60), title=str(locus_of(dataset)), xformatter="%d", ylabel="",
    )  # fmt: skip


def _prediction_curve(dataset: xr.Dataset, context: str) -> hv.Curve:
    values = dataset["activity"].sel(context=context).to_numpy()
    x = x_of(dataset["bin_start"].to_numpy().astype(float)) + bin_size_of(dataset) / 2
    return _curve(x, values, "activity", f"{locus_of(dataset)}, {label_of(dataset, context)}")


def _mutagenesis_image(dataset: xr.Dataset, context: str) -> hv.Image:
    effect = dataset["effect"].sel(context=context).transpose("allele", "position").to_numpy()
    alleles = [str(allele) for allele in dataset["allele"].to_numpy()]
    start = int(base_starts(dataset)[0])
    bounds = (x_of(start), 0, x_of(start + effect.shape[1]), len(alleles))
    ticks = [(len(alleles) - row - 0.5, allele) for row, allele in enumerate(alleles)]
    limit = float(np.nanmax(np.abs(effect), initial=1e-12))
    image = hv.Image(effect, bounds=bounds, kdims=["position", "allele"], vdims=["effect"])
    strongest = int(np.nanargmax(np.abs(contribution(dataset).sel(context=context).to_numpy()))) + start + 1
    return image.opts(
        cmap=list(LIGHT.diverging), clim=(-limit, limit), yticks=ticks, colorbar=True, tools=["hover"],
        responsive=True, height=150, xformatter="%d", ylabel="change to",
        title=f"{locus_of(dataset)}, {label_of(dataset, context)}; strongest base {strongest:,}",
    )  # fmt: skip


def _attribution_curve(dataset: xr.Dataset, context: str | None) -> hv.Curve | hv.Overlay:
    one, title = dataset, str(locus_of(dataset))
    if "context" in dataset["attribution"].dims:
        context = context or _names(dataset)[0]
        one = dataset.sel(context=context)
    rows = one["attribution"].to_numpy()[None, :]
    if "attribution_std" in one:
        spread = one["attribution_std"].to_numpy()
        rows = np.stack([rows[0], rows[0] - spread, rows[0] + spread])
    bases = Bases.of(str(dataset.attrs["contig"]), base_starts(dataset), rows)
    summary = bases.pyramid.summary(0, bases.pyramid.n_bins, _POINTS)
    # one point per pixel at most; the strongest base of those that share one, so that none is lost
    x = x_of((summary.edges[:-1] + summary.edges[1:]) / 2 + bases.start)
    curve = _curve(x, summary.strongest[0], "attribution", f"{title}, {label_of(dataset, context)}")
    if len(rows) == 1:
        return curve
    band = hv.Area(
        (x, summary.minimum[1], summary.maximum[2]), "position", ["lower", "upper"], label="one deviation"
    )
    return band.opts(color=LIGHT.faint, line_width=0, responsive=True, height=180) * curve


def _haplotype_curves(dataset: xr.Dataset, context: str) -> hv.Overlay:
    x = x_of(dataset["bin_start"].to_numpy().astype(float)) + bin_size_of(dataset) / 2
    who = str(dataset.attrs.get("sample", "")) or "both haplotypes"
    title = f"{who}, {locus_of(dataset)}, {label_of(dataset, context)}"
    curves = [
        _curve(x, one.to_numpy(), "activity", title).relabel(str(one["haplotype"].item())).opts(color=colour)
        for one, colour in zip(dataset["activity"].sel(context=context), _HAPLOTYPES, strict=False)
    ]
    return hv.Overlay(curves).opts(responsive=True, height=200, title=title)


def _variants_map(dataset: xr.Dataset) -> hv.HeatMap:
    effect = dataset["effect"].transpose("variant", "context", ...)
    if effect.ndim > 2:
        raise ResultError("these effects are on genes, too: choose one with .sel(gene=...), then view it")
    largest = np.nan_to_num(np.abs(effect.to_numpy())).max(1)
    rows = np.sort(np.argsort(-largest, kind="stable")[:_MOST_VARIANTS])
    columns = [dataset[name].to_numpy()[rows] for name in ("contig", "position", "ref", "alt")]
    names = [f"{shown_contig(str(c))}:{int(p):,} {r}>{a}" for c, p, r, a in zip(*columns, strict=True)]
    left_out = len(largest) - len(rows)
    title = f"{len(rows)} variants" + (f" with the largest effects, {left_out:,} more" if left_out else "")
    return _heat_map(names, _names(dataset), effect.to_numpy()[rows], "variant", "effect", title, signed=True)


def _expression_map(dataset: xr.Dataset) -> hv.HeatMap:
    expression = dataset["expression"]
    others = [str(dim) for dim in expression.dims if dim not in ("gene", "context")]
    rows = expression.stack(row=[*others, "gene"]).transpose("row", "context")
    names = [" ".join(map(str, key)) for key in rows.indexes["row"]]
    return _heat_map(names, _names(dataset), rows.to_numpy(), "gene", "expression", "Predicted expression")


def _expression_effects_map(dataset: xr.Dataset) -> hv.HeatMap:
    effect = dataset["expression_effect"].transpose("pair", "context").to_numpy()
    columns = [dataset[name].to_numpy() for name in ("contig", "position", "ref", "alt", "gene")]
    pairs = zip(*columns, strict=True)
    names = [f"{shown_contig(str(c))}:{int(p):,} {r}>{a}, {gene}" for c, p, r, a, gene in pairs]
    largest = np.argsort(-np.nan_to_num(np.abs(effect)).max(1, initial=0), kind="stable")[:_MOST_VARIANTS]
    rows = np.sort(largest)
    title = f"{len(rows)} of {len(names)} pairs of variant and gene, change of expression"
    shown = [names[row] for row in rows]
    return _heat_map(shown, _names(dataset), effect[rows], "pair", "change", title, signed=True)


def _hypotheses_map(dataset: xr.Dataset) -> hv.HeatMap:
    method = str(dataset["method"].to_numpy()[0])
    p_value = dataset["p_value"].sel({"method": method}).transpose("trait", "context").to_numpy()
    traits = dataset["trait"].to_numpy().astype(str).tolist()
    strength = -np.log10(np.maximum(p_value, np.finfo(float).tiny))
    title = f"-log10 p, method {method}"
    return _heat_map(traits, _names(dataset), strength, "trait", "strength", title)


def _heat_map(
    rows: list[str],
    contexts: list[str],
    values: np.ndarray,
    row_name: str,
    value_name: str,
    title: str,
    *,
    signed: bool = False,
) -> hv.HeatMap:
    # one row for each cell: names given as axes of a grid are sorted, and the values are not
    cells = (np.tile(contexts, len(rows)), np.repeat(rows, len(contexts)), values.ravel())
    drawn = hv.HeatMap(cells, kdims=["context", row_name], vdims=[value_name])
    limit = float(np.nanmax(np.abs(values), initial=1e-12)) if values.size else 1.0
    return drawn.opts(
        cmap=list(LIGHT.diverging if signed else LIGHT.sequential), clim=(-limit if signed else 0, limit),
        colorbar=True, tools=["hover"], responsive=True, height=max(140, 18 * len(rows) + 110), xrotation=60,
        invert_yaxis=True, title=title, xlabel="", ylabel="",
    )  # fmt: skip


def _curve(x: np.ndarray, y: np.ndarray, name: str, title: str) -> hv.Curve:
    curve = hv.Curve((x, y), "position", name)
    return curve.opts(
        color=LIGHT.gene,
        line_width=1,
        tools=["hover"],
        responsive=True,
        height=180,
        title=title,
        xformatter="%d",
    )

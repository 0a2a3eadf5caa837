"""A methods paragraph, written from the settings that a result was made with."""

from __future__ import annotations

import numpy as np
import xarray as xr

from phenviz.disease.methods import draws_loci, methods, needs_beta
from phenviz.errors import ResultError
from phenviz.genome.locus import shown_contig


def methods_paragraph(dataset: xr.Dataset) -> str:
    """Describe how hypotheses were tested, for the methods section of an article.

    Parameters
    ----------
    dataset
        What `hypotheses` returned, or one read back from a file.

    Returns
    -------
    str
        A few sentences that name source, model, methods, background, null, seed and corrections, with the
        numbers of this very result.

    Raises
    ------
    ResultError
        If the dataset holds no hypotheses.
    """
    if "method" not in dataset.dims or "p_value" not in dataset:
        raise ResultError("this result holds no hypotheses: pass what phenviz.disease.hypotheses returned")
    attrs, names = dataset.attrs, [str(name) for name in dataset["method"].values]
    parts = [_sources(dataset)]
    tested = [name for name in names if np.isfinite(dataset["p_value"].sel({"method": name})).any()]
    parts += [methods()[name].text for name in tested if name in methods()]
    parts += [_untested(name) for name in names if name not in tested]
    if any(draws_loci(name) for name in tested):
        parts.append(
            f"Matched loci: each locus was replaced by up to {attrs['replicas']:,} comparable ones "
            f"drawn from a "
            f"background of {attrs['background']}; loci, not variants, were drawn independently, "
            f"{attrs['permutations']:,} times. Effects are differences from the mean of the null, "
            "p-values are the share of draws, of a locus or one of its replicas, that reach the observed "
            "value, and intervals are those of a bootstrap of loci (95 %)."
        )
    parts.append(
        f"Multiple testing was controlled by {attrs['multiple_testing']}; Bonferroni thresholds count "
        f"all pairs or "
        "the effective number of independent contexts after Li and Ji."
    )
    parts.append(f"Random seed {attrs['seed']}, PhenViz {attrs['phenviz_version']}.")
    return " ".join(parts)


def _untested(name: str) -> str:
    why = ": it needs the alternate allele and beta with its sign" if needs_beta(name) else ""
    label = methods()[name].label if name in methods() else name
    return f"Nothing was tested by {name} ({label}){why}."


def _sources(dataset: xr.Dataset) -> str:
    attrs = dataset.attrs
    traits, contexts = dataset.sizes["trait"], dataset.sizes["context"]
    model = "" if attrs["model"] == "none" else f" Sequence model: {attrs['model']}."
    contigs = ", ".join(shown_contig(name.strip()) for name in str(attrs["contig"]).split(","))
    return (
        f"{_count(traits, 'trait')} with {int(dataset['variants'].sum()):,} fine-mapped variants in "
        f"{_count(int(dataset['loci'].sum()), 'locus', 'loci')} on {contigs} ({attrs['assembly']}; source: "
        f"{attrs['source']}, {attrs['rows_kept']:,} of {attrs['rows_read']:,} rows used) were tested in "
        f"{_count(contexts, 'context')}.{model}"
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"

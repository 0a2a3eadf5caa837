"""A methods paragraph, written from the settings that a result was made with."""

from __future__ import annotations

import numpy as np
import xarray as xr

from phenviz.disease.cohort_methods import described
from phenviz.disease.functional_prior import follows_prior
from phenviz.disease.methods import draws_loci, methods, needs_beta
from phenviz.errors import ResultError
from phenviz.genome.locus import shown_contig

# of fewer loci, an enrichment can't be told from single loci by chance
FEW_LOCI = 5


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
    parts = [_of_people(dataset) if is_of_people(dataset) else _sources(dataset)]
    tested = [name for name in names if np.isfinite(dataset["p_value"].sel({"method": name})).any()]
    parts += [described()[name].text for name in tested if name in described()]
    parts += [note for name in tested if (note := _note(name, dataset))]
    parts += [_untested(name, dataset) for name in names if name not in tested]
    if "prior" in attrs and not is_of_people(dataset):
        parts.append(_prior(tested, str(attrs["prior_definition"])))
    if is_of_people(dataset):
        parts.append(
            "What covariates and a column for each ancestry leave of the trait was permuted among the people "
            f"of each ancestry, one of each family, and freed of them again, {attrs['permutations']:,} times "
            "(Freedman and Lane); p-values are the share of permutations that reach the observed value."
        )
    elif any(draws_loci(name) for name in tested):
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


def reservations(dataset: xr.Dataset) -> list[str]:
    """Say what a result can't show because of how little of each trait, or of the genome, it saw.

    Parameters
    ----------
    dataset
        What `hypotheses` returned, or one read back from a file.

    Returns
    -------
    list[str]
        Sentences; none where every trait has at least `FEW_LOCI` loci, and no method has a note of its own.
    """
    names = [str(name) for name in dataset["method"].values]
    notes = [str(note) for note in dataset["method_note"].values if note] if "method_note" in dataset else []
    if is_of_people(dataset):
        return notes
    loci = dataset["loci"].to_numpy()
    few = int((loci < FEW_LOCI).sum())
    if not few or all(name in methods() and methods()[name].whole_study for name in names):
        return notes
    contigs = ", ".join(shown_contig(name.strip()) for name in str(dataset.attrs["contig"]).split(","))
    have = "has" if few == 1 else "have"
    return [
        f"{few:,} of {_count(len(loci), 'trait')} {have} fewer than {FEW_LOCI} loci on {contigs} (the median "
        f"trait {np.median(loci):g}). So few show only a context in which nearly all of them act: that none "
        "stands out says nothing against any, and loci elsewhere weren't looked at.",
        *notes,
    ]


def is_of_people(dataset: xr.Dataset) -> bool:
    """Tell whether hypotheses come from people of a cohort, and not from fine-mapped variants alone."""
    return "people" in dataset and "held_out" in dataset


def people_words(dataset: xr.Dataset, trait: str) -> str:
    """Say how many people a trait was tested in."""
    one = dataset.sel(trait=trait)
    people, cases, unseen = (float(one[name]) for name in ("people", "cases", "held_out"))
    compared = f", {cases:,.0f} cases and {people - cases:,.0f} controls" if np.isfinite(cases) else ""
    held_out = f"; {unseen:,.0f} of them taught the Phenformer nothing" if unseen else ""
    return f"{people:,.0f} people{compared}{held_out}"


def _of_people(dataset: xr.Dataset) -> str:
    attrs = dataset.attrs
    traits = "; ".join(f"{name}: {people_words(dataset, name)}" for name in dataset["trait"].values)
    return (
        f"{_count(dataset.sizes['trait'], 'trait')} of people ({traits}; {attrs['assembly']}; source: "
        f"{attrs['source']}) {'was' if dataset.sizes['trait'] == 1 else 'were'} tested in "
        f"{_count(dataset.sizes['context'], 'context')}, given {attrs['covariates']} and ancestry. Disease "
        f"model: {attrs['model']}, trained on {attrs['trained_on']}."
    )


def _note(name: str, dataset: xr.Dataset) -> str:
    """Return what a method says of its own numbers; older results have no such words."""
    return str(dataset["method_note"].sel({"method": name}).item()) if "method_note" in dataset else ""


def _prior(tested: list[str], definition: str) -> str:
    """Say which methods a functional prior counted in, and which kept the posteriors as given."""
    own = [name for name in tested if follows_prior(name)]
    others = [name for name in tested if name not in own]
    kept = f" {', '.join(others)}: posteriors as given." if others else ""
    counted = f" in {', '.join(own)}" if others else ""
    return (
        f"A functional prior on causal variants (after PolyFun, Weissbrod 2020) counted{counted}: "
        f"{definition}; replicas of loci were reweighted in the same way.{kept}"
    )


def _untested(name: str, dataset: xr.Dataset) -> str:
    if note := _note(name, dataset):
        return note
    why = ": it needs the alternate allele and beta with its sign" if needs_beta(name) else ""
    label = described()[name].label if name in described() else name
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

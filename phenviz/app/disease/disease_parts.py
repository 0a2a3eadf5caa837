"""What the plots of the Disease page draw: parts of a result, arranged, with their thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from phenviz.app.disease.disease_names import trait_label
from phenviz.app.disease.disease_state import DiseaseState
from phenviz.app.shell.formatting import escaped
from phenviz.disease.calibration import calibration_words
from phenviz.disease.functional_prior import prior_of
from phenviz.disease.inputs import FLAT
from phenviz.disease.methods import draws_loci
from phenviz.disease.prose import is_of_people, people_words
from phenviz.disease.simulated import is_simulated
from phenviz.disease.traits import FIRST_ROWS, TraitReport
from phenviz.genome.locus import shown_contig
from phenviz.genome.true_minus import known_number

MOST_CONTEXTS = 40
_LEVEL = 0.05
# of traits that are left out, so many are named at once
_NAMED = 12


def methods_of(dataset: xr.Dataset) -> list[str]:
    """Return the methods of a result that tested anything."""
    tested = np.isfinite(dataset["p_value"].values)
    where = dataset["p_value"].dims.index("method")
    others = tuple(axis for axis in range(tested.ndim) if axis != where)
    return [
        str(name) for name, any_ in zip(dataset["method"].values, tested.any(others), strict=True) if any_
    ]


def method_part(dataset: xr.Dataset, method: str) -> xr.Dataset:
    """Return the tests of one method, contexts by group; the strongest ones where there are many."""
    part = dataset.sel({"method": method}).transpose("trait", "context", ...)
    p = part["p_value"].values
    tested = np.flatnonzero(np.isfinite(p).any(0))
    if len(tested) > MOST_CONTEXTS:
        best = np.argsort(np.nanmin(p[:, tested], axis=0), kind="stable")[:MOST_CONTEXTS]
        tested = np.sort(tested[best])
    groups = part["group"].values.astype(str)[tested]
    first = {group: place for place, group in reversed(list(enumerate(groups)))}
    return part.isel(context=tested[np.argsort([first[group] for group in groups], kind="stable")])


def arranged(part: xr.Dataset, order: str, trait: str, context: str) -> xr.Dataset:
    """Sort traits by z in a context, contexts by z of a trait, or both.

    Parameters
    ----------
    part
        From `method_part`.
    order
        ``traits``, ``contexts``, ``both``; others leave it as it is.
    trait, context
        What to sort by; unknown ones leave it as it is.
    """
    if order in ("traits", "both") and context in part["context"].values:
        part = part.isel(trait=_falling(part["z"].sel(context=context).values))
    if order in ("contexts", "both") and trait in part["trait"].values:
        part = part.isel(context=_falling(part["z"].sel(trait=trait).values))
    return part


def shown_contexts(part: xr.Dataset, ticked: tuple[str, ...], known: tuple[str, ...]) -> xr.Dataset:
    """Leave out the model's contexts that aren't ticked; others (REMO cell types) stay."""
    keep = [name in ticked or name not in known for name in part["context"].values.astype(str)]
    return part.isel(context=np.flatnonzero(keep))


def thresholds(dataset: xr.Dataset, method: str) -> tuple[float, float]:
    """Return the thresholds of p at 5 %: Bonferroni's, and the largest p that Benjamini-Hochberg passes.

    The second is NaN where nothing passes.
    """
    part = dataset.sel({"method": method})
    p, q = part["p_value"].values, part["q_value"].values
    tests = int(np.isfinite(p).sum())
    passed = p[np.isfinite(q) & (q <= _LEVEL)]
    return _LEVEL / max(tests, 1), float(passed.max()) if len(passed) else float("nan")


def cell_words(dataset: xr.Dataset, method: str, trait: str, context: str) -> str:
    """Say in one line of HTML what was found for one trait in one context."""
    one = dataset.sel({"method": method, "trait": trait, "context": context})

    def number(name: str, form: str = ".2g") -> str:
        return known_number(float(one[name]), form)

    interval = (
        f" ({number('interval_low')} to {number('interval_high')})"
        if np.isfinite(one["interval_low"])
        else ""
    )
    facts = [
        f"effect <b>{number('effect')}</b>{interval}",
        f"z <b>{number('z', '.2f')}</b>",
        f"p <b>{number('p_value')}</b>",
        f"q <b>{number('q_value')}</b>",
        f"Bonferroni {number('p_bonferroni')}",
    ]
    if np.isfinite(one["p_conditional"]):
        facts.append(f"given the best cell type {number('p_conditional')}")
    if np.isfinite(one["top_locus_share"]):
        facts.append(f"strongest locus {number('top_locus_share', '.0%')} of the evidence")
    if np.isfinite(one["p_without_top"]):
        facts.append(f"p without it {number('p_without_top')}")
    return " · ".join(facts)


def trait_words(dataset: xr.Dataset, trait: str) -> str:
    """Say how much there is of a trait."""
    if is_of_people(dataset):
        return people_words(dataset, trait)
    one = dataset.sel(trait=trait)
    share = float(one["posterior_share"])
    of_all = f", {share:.1%} of the source's posterior for it" if np.isfinite(share) else ""
    return (
        f"{int(one['variants']):,} variants in {int(one['loci']):,} loci here, {float(one['posterior']):.1f} "
        f"expected causal{of_all}"
    )


def interval_words(method: str) -> str:
    """Say where the intervals of a method come from."""
    return "bootstrap of loci" if draws_loci(method) else "normal approximation"


def simulated_words(dataset: xr.Dataset | None) -> str:
    """Return the label of simulated results; empty for others."""
    source = "" if dataset is None else str(dataset.attrs.get("source", ""))
    if not is_simulated(source):
        return ""
    if dataset is not None and is_of_people(dataset):
        return (
            "<span class='partial' data-testid='simulated'>SIMULATED</span> These people, or those that the "
            "Phenformer learnt from, or the variants combined with them, are made up: "
            f"{escaped(source)}. What is found says nothing about biology."
        )
    return (
        "<span class='partial' data-testid='simulated'>SIMULATED</span> These traits are made up: their "
        "variants were chosen by the model's own predictions, to show how the page works."
    )


def reweighted_words(dataset: xr.Dataset) -> str:
    """Say which methods of a result have tested posteriors weighed by predicted effect; empty for none."""
    if "prior" not in dataset.attrs:
        return ""
    own = [name for name in methods_of(dataset) if prior_of(dataset, name) != FLAT]
    others = [name for name in methods_of(dataset) if name not in own]
    kept = f" As given in {escaped(', '.join(others))}." if others else ""
    return (
        "<div><span class='partial' data-testid='reweighted'>REWEIGHTED</span> Posteriors were weighed by "
        f"predicted effect in {escaped(', '.join(own)) or 'no method'}.{kept} Variants are found better so, "
        "and cell types hardly. The rates of error beside methods were measured with posteriors as given."
        "</div>"
    )


def posterior_words(dataset: xr.Dataset, method: str) -> str:
    """Say of a result with a prior whether posteriors were weighed for a method; empty for other results."""
    if "prior" not in dataset.attrs:
        return ""
    flat = prior_of(dataset, method) == FLAT
    return "posteriors as given" if flat else "posteriors weighed by predicted effect"


def named_p_values(dataset: xr.Dataset, methods: Sequence[str]) -> dict[str, list[float]]:
    """Return all p-values of each method, by its name and its prior, to draw QQ plots."""
    named = {}
    for name in methods:
        prior = prior_of(dataset, name)
        called = name if prior == FLAT else f"{name}, prior {prior}"
        named[called] = method_part(dataset, name)["p_value"].values.ravel().tolist()
    return named


def made_from(dataset: xr.Dataset) -> str:
    """Say in a few words whom hypotheses come from, and whether that is made up."""
    said = "people" if is_of_people(dataset) else "variants"
    return f"SIMULATED {said}" if is_simulated(str(dataset.attrs["source"])) else said


def tested_words(dataset: xr.Dataset, name: str) -> str:
    """Say of hypotheses that were tested elsewhere how, and where they are read from."""
    attrs, labels = dataset.attrs, dataset["method_label"].values.astype(str).tolist()
    model = "" if attrs["model"] == "none" else f", model {attrs['model']}"
    facts = {
        "File": name,
        "Source": f"{attrs['source']} ({attrs['assembly']})",
        "Methods": ", ".join(labels),
        "How": f"{int(attrs['permutations']):,} draws of the null, seed {attrs['seed']}{model}",
        "Written by": f"PhenViz {attrs['phenviz_version']}",
    }
    lines = "<br>".join(f"<b>{what}</b>: {escaped(said)}" for what, said in facts.items())
    return f"<div data-testid='tested-elsewhere'>{lines}</div>"


def pair_title(dataset: xr.Dataset | None, state: DiseaseState, by: str = "") -> str:
    """Head what stands behind one hypothesis: trait, context, method and numbers, with more words on it."""
    label = trait_label(state.trait, state.source)
    shown = f"{state.trait} ({label})" if label != state.trait else state.trait
    found = ""
    if dataset is not None:
        try:
            found = cell_words(dataset, state.method, state.trait, state.evidence)
        except KeyError:
            found = "not tested by this method"
        if said := posterior_words(dataset, state.method):
            by += f" · {said}"
    return (
        f"<div style='margin-top:6px' data-testid='evidence-title'>"
        f"<span style='font-size:17px;font-weight:600'>{escaped(shown)} in {escaped(state.evidence)}</span> "
        f"<span class='quiet'>{escaped(state.method)}{by}</span><br>"
        f"<span class='number'>{found}</span></div>"
    )


def embedded_words(dataset: xr.Dataset) -> str:
    """Say of hypotheses that the package has brought along where they come from."""
    draws = f"{int(dataset.attrs['permutations']):,}"
    return (
        "<span data-testid='embedded-result'>Real traits. This result comes with PhenViz: it was tested "
        f"before, with this model ({escaped(str(dataset.attrs['model']))}) and {draws} draws of the null. "
        "“Test” tests them anew, on this machine.</span>"
    )


def reading_words(report: TraitReport) -> str:
    """Show how a table was read: what it was recognised as, each column, the first rows."""
    if report.format is None:
        return ""
    columns = "".join(
        f"<tr><td>{escaped(column)}</td><td>{escaped(what)}</td></tr>"
        for column, what in report.format.in_words()
    )
    rows = "".join(f"<tr><td>{escaped(row)}</td></tr>" for row in report.first_rows)
    return (
        f"<h3>{escaped(report.source)}: recognised as {escaped(report.format.name)}</h3>"
        f"<table class='facts'><tr><th>column</th><th>read as</th></tr>{columns}</table>"
        f"<table class='facts'><tr><th>{FIRST_ROWS}</th></tr>{rows}</table>"
    )


def left_out_words(dataset: xr.Dataset) -> str:
    """Say which traits of the source have nothing to test; empty where all have."""
    absent = str(dataset.attrs.get("traits_left_out", ""))
    contigs = str(dataset.attrs["contig"]).split(",")
    place = f"on {shown_contig(contigs[0])}" if len(contigs) == 1 else "here"
    names = absent.split(", ")
    said = f"Left out, with no usable variant {place}: {escaped(', '.join(names[:_NAMED]))}"
    if more := names[_NAMED:]:
        inline = "style='display:inline'"
        said += f", <details {inline}><summary {inline}>{len(more)} more</summary> "
        said += f"{escaped(', '.join(more))}</details>"
    said += "."
    return f"<span class='quiet' data-testid='left-out'>{said}</span>" if absent else ""


def few_loci_words(dataset: xr.Dataset) -> str:
    """Say what so few loci can't show; empty where each trait has enough."""
    from phenviz.disease import reservations

    said = " ".join(reservations(dataset))
    return f"<div class='quiet' data-testid='few-loci'>{escaped(said)}</div>" if said else ""


def effective_words(dataset: xr.Dataset, method: str) -> str:
    """Say how many contexts count as independent, and how well matching did."""
    part = dataset.sel({"method": method})
    words = [escaped(str(part["method_label"].values))]
    tested = int(np.isfinite(part["p_value"].transpose("trait", "context").values).any(0).sum())
    if tested > MOST_CONTEXTS:
        words.append(f"the {MOST_CONTEXTS} contexts with the smallest p of {tested:,} are drawn")
    count = float(part["effective_contexts"])
    if np.isfinite(count):
        words.append(
            f"{count:.0f} effectively independent of {int(part.sizes['context'])} contexts (Li and Ji)"
        )
    imbalance = part["imbalance"].values
    if np.isfinite(imbalance).any():
        words.append(f"largest imbalance after matching {np.nanmax(imbalance):.2f} SD")
    if said := posterior_words(dataset, method):
        words.append(f"<b>{said}</b>")
    told = calibrated(method)
    # what doesn't hold has a frame, and no sign before it
    joined = "" if not told else " " if "class=" in told else " · "
    return f"{' · '.join(words)}{joined}{told}"


def calibrated(method: str) -> str:
    """Say how often a method errs on null traits, as measured; marked where it doesn't hold."""
    said = calibration_words(method)
    if not said:
        return ""
    mark = "" if said.endswith("(holds)") else " class='partial'"
    return f"<span data-testid='calibration'{mark}>{escaped(said)}</span>"


def _falling(values: np.ndarray) -> np.ndarray:
    return np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")

"""``phenviz hypotheses compare``: how well hypotheses agree with known pairs of traits and contexts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import PhenvizCommand, checked_output

if TYPE_CHECKING:
    import pandas as pd

_MEANS = ("auroc", "auroc_by_lineage", "auprc", "spearman")


def _check_output(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    return None if value is None else checked_output(value, (".tsv",), context, parameter)


@click.command(cls=PhenvizCommand)
@click.argument("table", metavar="TABLE")
@click.option(
    "--reference",
    required=True,
    metavar="REF",
    help="haematopoiesis (packaged: lineages of blood counts); disease-location or coloc-tissues (of "
    "data packs); the published table of TCSC, or of S-LDSC on Tabula Muris; or a table with columns trait "
    "and context, and if wanted role (expected or neutral), score, lineage, counted.",
)
@click.option("--method", "methods", multiple=True, metavar="M", help="Only this method; may be repeated.")
@click.option("--trait", "traits", multiple=True, metavar="T", help="Only this trait; may be repeated.")
@click.option(
    "--top", "top", multiple=True, type=click.IntRange(1), default=(1, 3), show_default=True, metavar="K",
    help="Count traits with an expected context among the K first; may be repeated.",
)  # fmt: skip
@click.option("--permutations", type=click.IntRange(100), default=10_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "-o", "--output", metavar="OUT", callback=_check_output, help="Agreement of each trait and method: .tsv"
)
@click.option(
    "--matches", metavar="OUT", callback=_check_output,
    help="Which trait and context was matched with which, by what, and what wasn't: .tsv",
)  # fmt: skip
def compare(
    table: str,
    reference: str,
    methods: tuple[str, ...],
    traits: tuple[str, ...],
    top: tuple[int, ...],
    permutations: int,
    seed: int,
    output: Path | None,
    matches: Path | None,
) -> None:
    """Compare the ranking of contexts in TABLE with known pairs of traits and contexts.

    TABLE is what `phenviz hypotheses` wrote, or any table with columns trait, context, and z, p_value or
    score (of another tool, say). Prints AUROC, AUPRC, the share of traits with an expected context among
    the first (beside chance), and the p-value of renaming the contexts at random.
    """
    from phenviz.disease import compare as compare_with
    from phenviz.disease import read_hypotheses

    tests = _chosen(_chosen(read_hypotheses(table), "method", methods), "trait", traits)
    found = compare_with(tests, reference, top=tuple(sorted(set(top))), permutations=permutations, seed=seed)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(_summary(found.methods, sorted(set(top))))
    from phenviz.results.writing import write_table

    for path, written in ((output, found.traits), (matches, found.matches)):
        if path is not None:
            write_table(path, written, float_format="%.6g")
            click.echo(path)


def _chosen(tests: pd.DataFrame, column: str, names: tuple[str, ...]) -> pd.DataFrame:
    from phenviz.errors import DataError

    present = list(dict.fromkeys(tests[column]))
    for name in names:
        if name not in present:
            raise DataError(f"no {column} {name!r} in this table: it has {', '.join(present)}")
    return tests[tests[column].isin(names)] if names else tests


def _summary(methods: pd.DataFrame, top: list[int]) -> str:
    """Lay out the means of each method; leave out what the reference can't tell."""
    shown = {"method": methods["method"], "traits": methods["traits"]}
    for name in _MEANS:
        if methods[name].notna().any():
            shown[name] = methods[name].map("{:.3f}".format)
        if name == "auroc" and methods["p_auroc"].notna().any():
            shown["p"] = methods["p_auroc"].map("{:.4g}".format)
        if name == "spearman" and methods["p_spearman"].notna().any():
            shown["p (spearman)"] = methods["p_spearman"].map("{:.4g}".format)
    for k in top:
        if methods[f"top_{k}"].notna().any():
            pairs = zip(methods[f"top_{k}"], methods[f"chance_{k}"], strict=True)
            shown[f"top-{k} (chance)"] = [f"{share:.2f} ({chance:.2f})" for share, chance in pairs]
    import pandas as pd

    return str(pd.DataFrame(shown).to_string(index=False))

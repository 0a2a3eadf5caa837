"""Does the model know people? Predicted beside measured expression, for every gene that can be judged.

``python -m evaluation.measured [--eqtl TABLE] [--write]``. Goes on where it was interrupted. TABLE holds
GTEx v8 lead
variants on GRCh37, as for ``evaluation.eqtl``; the product doesn't need it.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import binomtest

from evaluation.report import DOCS, TABLES, markdown_table, number, write_section
from phenviz.data.measured_expression import INCLUSION, MEASURED_PACKS
from phenviz.effects.measured import METHODS, join_measured
from phenviz.effects.measured.methods import MODEL
from phenviz.effects.measured.people import measured_genes
from phenviz.results import load, save
from phenviz.results.measured import by_evidence, without_people
from phenviz.service import ModelService
from phenviz.service.measured import pair_measured
from phenviz.world import World, open_world

PAGE = DOCS / "measured.md"
LYMPHOCYTES = "Cells_EBV-transformed_lymphocytes"
LARGEST_Q = 0.05
_TOGETHER = 6
_FOLDER = Path("build") / "evaluation"


def measure(pack: str, world: World, folder: Path) -> xr.Dataset:
    """Judge every gene of a pack, some at a time; those that are in the folder aren't judged again."""
    people = pair_measured(world, pack)
    genes = measured_genes(people, world.annotation)
    del people
    parts = []
    steps = -(-len(genes) // _TOGETHER)
    for first in range(steps):
        # far from each other, so that each has a gene far away among them
        some = genes[first::steps]
        path = folder / f"{pack}-{_key(world, some)}.nc"
        if not path.is_file():
            with ModelService(world) as service:
                found = service.submit("measured", source=pack, genes=some).result()
            folder.mkdir(parents=True, exist_ok=True)
            save(without_people(found), path)
            print(f"{pack}: {first + 1} of {steps} parts", flush=True)
        parts.append(load(path))
    return join_measured([part.drop_vars("q_value") for part in parts]).assign_attrs(parts[0].attrs)


def _key(world: World, genes: list[str]) -> str:
    assert world.readout is not None
    made_of = [world.backbone.weights_hash, world.readout.weights_hash, *genes]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]


def tables(found: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Lay out all packs, one row per feature, split by split."""
    rows = []
    for pack, dataset in found.items():
        context = str(dataset["context"].values[0])
        for split in dataset["split"].values:
            table = by_evidence(dataset, context, split=str(split))
            for control in ("shuffled", "far_gene"):
                chosen = dataset[control].sel(context=context, split=split)
                of_row = chosen.transpose("gene", "method").values
                names = [f"{control} {method}" for method in METHODS]
                values = pd.DataFrame(of_row, columns=names)
                values["gene"], values["feature"] = dataset["gene"].values, dataset["feature"].values
                table = table.merge(values, on=["gene", "feature"], how="left")
            rows.append(table.assign(pack=pack, context=context, split=split))
    return pd.concat(rows, ignore_index=True)


def section(table: pd.DataFrame, pack: str, about: str, model: str) -> str:
    """Write the table of one pack."""
    own = table[(table["pack"] == pack) & (table["split"] == "5-fold")]
    rows = [
        [
            f"{row['gene']} {'' if row['feature'] in ('depth', 'expression') else row['feature']}".strip(),
            row["gene_is"],
            f"{row['people']:,}",
            *(_cell(row, method) for method in METHODS),
            row["top_variant_id"] or row["top_variant"],
        ]
        for _, row in own.iterrows()
    ]
    header = ["gene", "the model has seen", "people", *METHODS, "top variant (everybody)"]
    return f"""### {pack}

{about}

Model {model}, context {own["context"].iloc[0]}; correlation over held-out people (5-fold) with its 95 %
interval, strongest evidence of any method first.

{markdown_table(header, rows)}

{_summary(table, pack)}
"""


def _cell(row: pd.Series, method: str) -> str:
    if np.isnan(row[method]):
        return "-"
    low, high = (number(row[f"{method} {end}"]) for end in ("low", "high"))
    return f"{number(row[method])} [{low}, {high}]"


def _summary(table: pd.DataFrame, pack: str) -> str:
    """Say what holds over all features, beside the controls and the other split."""
    rows = []
    own = table[table["pack"] == pack]
    for kind, part in _kinds(own):
        folds = part[part["split"] == "5-fold"]
        apart = part[part["split"] != "5-fold"]
        for method in METHODS:
            known = folds[method].notna()
            # what was learned from people says something where it is right; the model, also where it is wrong
            told = folds[method].gt(0) | (method == MODEL)
            small = int((folds[f"{method} p"].lt(0.05) & told).sum())
            rows.append(
                [
                    f"{kind}, {method}",
                    int(known.sum()),
                    number(folds[method].mean()),
                    small,
                    number(folds[f"shuffled {method}"].mean()),
                    number(folds[f"far_gene {method}"].mean()),
                    number(apart[method].mean()),
                ]
            )
    header = [
        "mean correlation", "rows", "held-out people", "p < 0.05", "people shuffled", "gene far away",
        "population left out",
    ]  # fmt: skip
    return markdown_table(header, rows)


def _kinds(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    inclusion = table["feature"].str.startswith(INCLUSION)
    for name, part in (("expression", table[~inclusion]), ("inclusion", table[inclusion])):
        if len(part):
            yield name, part


def signs(table: pd.DataFrame, leads: pd.DataFrame) -> str:
    """Compare signs of the model's correlation and of its driver with what was measured, here and in GTEx."""
    own = table[(table["split"] == "5-fold") & ~table["feature"].str.startswith(INCLUSION)]
    own = own.sort_values("top-variant p")
    significant = own[(own["top-variant p"] < 0.05) & (own["top-variant"] > 0)]
    rows, same = [], 0
    for _, row in significant.iterrows():
        agrees = row["driver_effect"] * row["driver_slope"] > 0
        same += bool(row["model"] > 0)
        lead = leads[leads["gene_name"].eq(row["gene"])]
        gtex = lead[lead["key"].eq(row["driver"])]
        measured = (
            "not its lead" if gtex.empty else f"{number(gtex['slope'].iloc[0])} ({gtex['tissue'].iloc[0]})"
        )
        rows.append(
            [
                f"{row['gene']} ({row['pack']})",
                number(row["model"]),
                number(row["top-variant"]),
                row["driver_id"] or row["driver"] or "-",
                number(row["driver_effect"], 4),
                number(row["driver_slope"]),
                "yes" if agrees else "no",
                measured,
                ", ".join(
                    f"{one.rs} {number(one.slope)}"
                    for one in lead[lead["tissue"] == LYMPHOCYTES].itertuples()
                )
                or "-",
            ]
        )
    count = len(significant)
    share = binomtest(same, count).proportion_ci(method="wilson") if count else None
    told = (
        f"Of {count} genes whose expression held-out genotypes predict (top variant, p < 0.05), the model's "
        f"correlation has the right sign in {same}"
        + (
            f" (share {number(same / count)}, 95 % interval {number(share.low)} to {number(share.high)})."
            if share
            else "."
        )
    )
    header = [
        "gene", "model", "top variant", "driver", "predicted per ALT", "measured per ALT", "same sign",
        "GTEx at the driver", "GTEx lead in lymphocytes, slope",
    ]  # fmt: skip
    return f"""## The sign test, and which variant decides it

{told} The driver is the variant that most of the model's agreement (or disagreement) comes from: the
predicted effect of it alone, and the slope that was measured in these people, both per copy of ALT. GTEx'
table holds the lead variant of each gene and tissue only, so that most drivers aren't in it.

{markdown_table(header, rows)}
"""


def read_leads(path: Path) -> pd.DataFrame:
    """Read GTEx' significant lead variants of all tissues, with the keys that PhenViz gives variants."""
    table = pd.read_csv(path, sep="\t", low_memory=False)
    table = table[
        (table["qval"] < LARGEST_Q) & table["pos37"].notna() & (table["ref_ok37"].astype(str) == "True")
    ]
    position = table["pos37"].astype(int).astype(str)
    key = "20:" + position + ":" + table["ref"] + ":" + table["alt"]
    rs = table["rs_id_dbSNP151_GRCh38p7"].where(table["rs_id_dbSNP151_GRCh38p7"] != ".", key)
    lymphocytes_first = table["tissue"].ne(LYMPHOCYTES)
    return table.assign(key=key, rs=rs, order=lymphocytes_first).sort_values(["order", "qval"])


def main() -> None:
    """Measure; write the tables and the sections of the docs where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.measured", description=__doc__)
    parser.add_argument("--eqtl", type=Path, help="GTEx v8 lead variants of the chromosome, on GRCh37")
    parser.add_argument("--write", action="store_true", help="write docs/measured.md and its table")
    parser.add_argument("--pack", action="append", choices=list(MEASURED_PACKS), help="only this one")
    given = parser.parse_args()
    world = open_world()
    found = {pack: measure(pack, world, _FOLDER) for pack in given.pack or MEASURED_PACKS}
    table = tables(found)
    model = next(iter(found.values())).attrs["model"]
    written = {
        f"measured {pack}": section(table, pack, one.attrs["about"], model) for pack, one in found.items()
    }
    if given.eqtl is not None:
        written["measured signs"] = signs(table, read_leads(given.eqtl))
    for name, text in written.items():
        print(text)
        if given.write:
            write_section(name, text, PAGE)
    if given.write:
        TABLES.mkdir(parents=True, exist_ok=True)
        table.round(4).to_csv(TABLES / "measured.tsv", sep="\t", index=False)


if __name__ == "__main__":
    main()

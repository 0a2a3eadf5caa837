r"""Write the projects that the embedded backbone is trained on: blood, then all other contexts besides.

Usage::

    python scripts/build_training_project.py FOLDER
    phenviz train backbone --world FOLDER/blood.yaml -o blood16.safetensors \
        --validation chr20:8,000,001-12,000,000 --test chr20:36,000,001-48,000,000
    phenviz train backbone --world FOLDER/project.yaml -o tissues24.safetensors --from blood16.safetensors \
        --teachers 0 --epochs 4 --learning-rate 0.0007 \
        --validation chr20:8,000,001-12,000,000 --test chr20:36,000,001-48,000,000

The data packs must be here (``phenviz data fetch``), or in a mirror (``PHENVIZ_MIRROR``). The chromatin
states of stem cells are R data, which the package ``rdata`` reads (``pip install rdata``; some minutes).
"""

from __future__ import annotations

import argparse
import warnings
import zlib
from pathlib import Path

import pandas as pd
import yaml

from phenviz.data import embedded
from phenviz.data.blood16 import BLOOD16
from phenviz.data.packs import require_pack
from phenviz.data.peaks import pack_peak_files
from phenviz.data.tissues import REPORTERS, SITES22
from phenviz.genome.contexts import Context

ADAPTORS = ("AGGACCGGATCAACT", "CATTGCGTGAACCGA")
PEAK_PACKS = ("blood16-atac", "nott2019-brain", "fetal-intestine-dnase")
# acetylated regions of the brain's nuclei teach auxiliary outputs, as regulatory elements do
ACETYLATION = {
    "Neuron": "H3K27ac.NeuN.bed",
    "Oligodendrocyte": "H3K27ac.Olig2.bed",
    "Astrocyte": "H3K27ac.LHX2.bed",
    "Microglia": "H3K27ac.PU1.bed",
}
# promoters and strong enhancers
ACTIVE_STATES = ("1_", "2_", "3_", "4_", "5_")
# of the elements that are learnt from, one in so many only tells how the training goes
VALIDATION_ELEMENTS = 10
# both orientations of an element, in either assay's way of writing them
_ORIENTATION = r"(_Reversed:?|_[FR])$"


def main() -> None:
    """Write the projects' files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--states", type=Path, help="BED file of the stem cells' active states, instead of R data"
    )
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    states = folder / "ESC.bed" if arguments.states is None else arguments.states.absolute()
    if arguments.states is None and not states.is_file():
        write_states(states)
    read_reporters().to_csv(folder / "reporters.tsv", sep="\t", index=False)
    write_contexts(folder / "blood.tsv", BLOOD16)
    write_contexts(folder / "contexts.tsv", (*SITES22, *REPORTERS))
    write_elements(folder / "elements.tsv.gz")
    peaks = pack_peak_files(PEAK_PACKS) | {"ESC": states}
    base = {
        "assembly": embedded.ASSEMBLY,
        "reference": str(embedded.REFERENCE),
        "annotation": str(embedded.GENES),
        "bands": str(embedded.CYTOBANDS),
    }
    blood = base | {
        "name": "blood",
        "elements": str(embedded.ELEMENTS),
        "contexts": "blood.tsv",
        "peaks": {context.name: str(peaks[context.name]) for context in BLOOD16},
    }
    every = base | {
        "name": "blood, brain, gut and stem cells",
        "elements": "elements.tsv.gz",
        "contexts": "contexts.tsv",
        "peaks": {context.name: str(peaks[context.name]) for context in SITES22},
        "sequences": {"table": "reporters.tsv", "adaptors": list(ADAPTORS)},
    }
    for name, project in (("blood.yaml", blood), ("project.yaml", every)):
        (folder / name).write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    print(folder / "project.yaml")


def read_reporters() -> pd.DataFrame:
    """Read the lentiMPRA pack: its first half to learn from, its second to test on."""
    parts = []
    for context in REPORTERS:
        for half, split in (("val", "train"), ("test", "test")):
            table = pd.read_csv(require_pack("lentimpra", f"{half}_{context.name}.tsv"), sep="\t")
            element = table["seq_id"].str.replace(_ORIENTATION, "", regex=True)
            chosen = element.map(lambda name: zlib.crc32(name.encode()) % VALIDATION_ELEMENTS == 0)
            splits = chosen.map({True: "validation", False: "train"}) if split == "train" else split
            parts.append(
                pd.DataFrame(
                    {
                        "sequence": table["seq"],
                        "context": context.name,
                        "value": table["mean_value"],
                        "split": splits,
                        "element": element,
                    }
                )
            )
    return without_shared(pd.concat(parts, ignore_index=True))


def without_shared(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is learnt in one assay and tested in the other, and say how much that is."""
    from phenviz.data.reporter_sequences import reverse_complement

    first, last = map(len, ADAPTORS)
    inner = table["sequence"].str.slice(first, -last)
    strand = inner.map(lambda text: min(text, reverse_complement(text)))
    rank = table["split"].map({"test": 0, "validation": 1, "train": 2})
    kept = rank == rank.groupby(strand).transform("min")
    print(f"{(~kept).sum():,} of {len(table):,} rows left out: their sequence is in a held-out part, too")
    return table[kept]


def write_contexts(path: Path, contexts: tuple[Context, ...]) -> None:
    """Write contexts as a project reads them."""
    rows = [{key: getattr(context, key) for key in Context.__slots__} for context in contexts]
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)


def write_elements(path: Path) -> None:
    """Write the embedded regulatory elements, and the acetylated regions of the brain's cells beside them."""
    tables = [pd.read_csv(embedded.ELEMENTS, sep="\t", dtype={"contig": str})]
    for name, file in ACETYLATION.items():
        regions = pd.read_csv(
            require_pack("nott2019-brain", file), sep="\t", header=None, usecols=[0, 1, 2]
        ).set_axis(["contig", "start", "end"], axis=1)
        regions["contig"] = regions["contig"].str.removeprefix("chr")
        regions = regions[regions["contig"] == embedded.CONTIG]
        tables.append(regions.assign(name=f"H3K27ac {name}", cell_types=f"H3K27ac {name}"))
    pd.concat(tables, ignore_index=True).sort_values("start").to_csv(path, sep="\t", index=False)


def write_states(path: Path) -> None:
    """Write the active chromatin states of H1 as a BED file."""
    import rdata

    with warnings.catch_warnings():
        # classes of R that say how a table was read, not what it holds
        warnings.simplefilter("ignore")
        tables = rdata.read_rda(require_pack("h1esc-chromhmm", "tutorial_files.rda"))
    states = tables["tutorial_files"]["hesc_chromHmm"]
    columns = list(states.columns[:4])
    active = states[states[columns[3]].astype(str).str.startswith(ACTIVE_STATES)]
    table = active[columns].astype({columns[1]: "int64", columns[2]: "int64"})
    table.to_csv(path, sep="\t", header=False, index=False)


if __name__ == "__main__":
    main()

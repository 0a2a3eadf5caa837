"""Projects whose backbone is a torch class of the user's, in a file beside project.yaml."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.toys import GENES, write_fasta

USER_FILES = Path(__file__).parent / "user_models"
FACTS = "window: 1024, bin_size: 64, receptive_field: 134"
LOCAL = f"{{class: mymodel:LocalNet, {FACTS}}}"


def write_project(folder, backbone, more="contexts: [Ery, Mono, B]\n"):
    write_fasta(folder / "toy.fa")
    (folder / "genes.tsv").write_text(GENES)
    for path in USER_FILES.glob("*.py"):
        shutil.copy(path, folder)
    project = folder / "project.yaml"
    project.write_text(
        f"assembly: toy1\nreference: toy.fa\nannotation: genes.tsv\nbackbone: {backbone}\n{more}"
    )
    return project

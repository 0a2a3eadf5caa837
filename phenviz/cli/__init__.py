"""The command line: ``phenviz COMMAND``.

Modules of this room import nothing heavy at their top, so that ``phenviz --help`` answers at once.
"""

from __future__ import annotations

import click

from phenviz import __version__
from phenviz.cli.cohort import cohort
from phenviz.cli.cohort_cost import cost as cohort_cost
from phenviz.cli.cohort_hypotheses import hypotheses as cohort_hypotheses
from phenviz.cli.cohort_risk import evaluate as cohort_evaluate
from phenviz.cli.cohort_risk import train as cohort_train
from phenviz.cli.common import PhenvizGroup
from phenviz.cli.compare import compare
from phenviz.cli.compute import attribute, mutagenesis, predict
from phenviz.cli.data import data
from phenviz.cli.doctor import doctor
from phenviz.cli.edits import ablate, marginalize
from phenviz.cli.hypotheses import hypotheses
from phenviz.cli.init import init
from phenviz.cli.lift import lift
from phenviz.cli.many_expression import many_expression
from phenviz.cli.measured import individuals, measured
from phenviz.cli.overview import overview
from phenviz.cli.personal import personal
from phenviz.cli.report import report
from phenviz.cli.risk import risk
from phenviz.cli.serve import serve
from phenviz.cli.train import train
from phenviz.cli.train_personal import personal as train_personal
from phenviz.cli.variants import variants

__all__ = ["main"]


@click.group(cls=PhenvizGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="phenviz")
def main() -> None:
    """See which bases matter, in which cell types, and what that means for disease.

    Positions on the command line count from 1 and include the last base, as on the screen:
    chr20:42,984,160-42,985,160. Not for clinical use.
    """


for _command in (
    serve, predict, mutagenesis, attribute, ablate, marginalize, variants, personal, many_expression,
    individuals, measured, risk, hypotheses, report, overview, train, cohort, data, lift, init, doctor,
):  # fmt: skip
    main.add_command(_command)
for _command in (cohort_train, cohort_evaluate, cohort_hypotheses, cohort_cost):
    cohort.add_command(_command)
train.add_command(train_personal)
hypotheses.add_command(compare)

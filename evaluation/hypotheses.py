"""Measure all that `docs/hypotheses.md` says of the tests: errors, power, and the real traits.

python -m evaluation.hypotheses
"""

from __future__ import annotations

from evaluation import (
    disease_calibration,
    disease_power,
    disease_prior,
    disease_sequence,
    disease_studies,
    disease_traits,
)


def measure_all() -> None:
    """Run the six evaluations; what was scored is kept, so that a run that was stopped goes on."""
    for evaluation in (
        disease_traits,
        disease_sequence,
        disease_studies,
        disease_prior,
        disease_power,
        disease_calibration,
    ):
        evaluation.main()


if __name__ == "__main__":
    measure_all()

"""What a sequence model must keep to be used everywhere in PhenViz, as checks that any backbone can run.

In the tests of a package that brings a backbone::

    @pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
    def test_contract(clause):
        clause(Trial(my_backbone))

and at once, in words, with `check_backbone`.
"""

from __future__ import annotations

from dataclasses import dataclass

from phenviz.errors import ModelError
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.contract_clauses import CLAUSES, BrokenClause, Trial

__all__ = ["CLAUSES", "BrokenClause", "Finding", "Trial", "check_backbone"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one clause.

    Parameters
    ----------
    clause
        Its name, as that of the function.
    promise
        What it asks for.
    problem
        How it is broken and what to do; "" where it is kept.
    """

    clause: str
    promise: str
    problem: str


def check_backbone(backbone: SequenceBackbone, *, seed: int = 0) -> list[Finding]:
    """Try a backbone on random sequences and say which clauses of the contract it breaks.

    Parameters
    ----------
    backbone
        On the device where it is to be used. A local one is tried on a few receptive fields; a global one on
        some forty of its windows, which takes a while for a large model on a CPU.
    seed
        Of the sequences.

    Returns
    -------
    list[Finding]
        One for each of `CLAUSES`, in order. What fails for the same reason as another clause says which.

    Examples
    --------
    >>> from phenviz.models.contract import check_backbone
    >>> [finding.problem for finding in check_backbone(backbone) if finding.problem]  # doctest: +SKIP
    """
    trial, findings, first = Trial(backbone, seed), [], dict[str, str]()
    for clause in CLAUSES:
        promise, problem = (clause.__doc__ or "").splitlines()[0].rstrip("."), ""
        try:
            clause(trial)
        # whatever somebody else's model raises is a finding
        except Exception as error:
            known = isinstance(error, ModelError)
            problem = " ".join((str(error) if known else f"{type(error).__name__}: {error}").split())
            seen = first.setdefault(problem, clause.__name__)
            problem = problem if seen == clause.__name__ else f"can't be tried: see {seen}"
        findings.append(Finding(clause.__name__, promise, problem))
    return findings

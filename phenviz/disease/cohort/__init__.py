"""Cohorts: people simulated or read, polygenic scores and a disease model learnt from them, and judged."""

from phenviz.disease.cohort.config import CohortTraining, read_config
from phenviz.disease.cohort.folder import Cohort, open_cohort
from phenviz.disease.cohort.judging import judge
from phenviz.disease.cohort.saved import RiskModel, load_risk_model, open_risk_model, save_risk_model
from phenviz.disease.cohort.simulate import SimulationRequest, simulate_cohort
from phenviz.disease.cohort.training import fit_cohort

__all__ = [
    "Cohort",
    "CohortTraining",
    "RiskModel",
    "SimulationRequest",
    "fit_cohort",
    "judge",
    "load_risk_model",
    "open_cohort",
    "open_risk_model",
    "read_config",
    "save_risk_model",
    "simulate_cohort",
]

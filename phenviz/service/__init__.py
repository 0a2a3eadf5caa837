"""The in-process model service: device, queue, jobs, progress, cancel, result store."""

from phenviz.service.device import available_devices, pick_device
from phenviz.service.disease import variants_of_evidence
from phenviz.service.job_types import Backend, Chunk, Kind, Registry, whole
from phenviz.service.jobs import Job
from phenviz.service.runtime_estimates import CostBook, Estimate
from phenviz.service.service import ModelService, get_service
from phenviz.service.standard import KINDS
from phenviz.service.store import ResultStore

__all__ = [
    "KINDS",
    "Backend",
    "Chunk",
    "CostBook",
    "Estimate",
    "Job",
    "Kind",
    "ModelService",
    "Registry",
    "ResultStore",
    "available_devices",
    "get_service",
    "pick_device",
    "variants_of_evidence",
    "whole",
]

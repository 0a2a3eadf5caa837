"""The in-process model service: device, queue, jobs, progress, cancel, result store."""

from phenviz.service.device import available_devices, pick_device
from phenviz.service.disease import variants_of_evidence
from phenviz.service.explained import explain, request_at
from phenviz.service.job_types import Backend, Chunk, Registry, Request, WholeRequest
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
    "ModelService",
    "Registry",
    "Request",
    "ResultStore",
    "WholeRequest",
    "available_devices",
    "explain",
    "get_service",
    "pick_device",
    "request_at",
    "variants_of_evidence",
]

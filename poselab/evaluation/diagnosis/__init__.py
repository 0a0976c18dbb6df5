"""Which errors a method makes, and the AP that each type of error costs."""

from poselab.evaluation.diagnosis.breakdown import ErrorShare, error_breakdown
from poselab.evaluation.diagnosis.costs import ErrorCost, error_costs
from poselab.evaluation.diagnosis.diagnosis import Diagnosis, diagnose
from poselab.evaluation.diagnosis.keypoint_errors import UNKNOWN, KeypointStatus

__all__ = [
    "UNKNOWN",
    "Diagnosis",
    "ErrorCost",
    "ErrorShare",
    "KeypointStatus",
    "diagnose",
    "error_breakdown",
    "error_costs",
]

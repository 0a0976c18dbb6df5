"""Whether two metric values may be ranked against each other, and if not, why, in words.

A comparability record says what metric values depend on. Its top level is what an evaluator writes;
the records of further metrics are nested in it under their names; ``run`` says how the predictions
were made, where a run recorded that beside them.
"""

from poselab.evaluation.comparability.differences import (
    RecordDifference,
    differences_from,
    metric_records,
    record_warnings,
)
from poselab.evaluation.comparability.fields import RUN, ComparabilityRecord, Severity
from poselab.evaluation.comparability.files import (
    read_comparability,
    read_options,
    write_comparability,
)

__all__ = [
    "RUN",
    "ComparabilityRecord",
    "RecordDifference",
    "Severity",
    "differences_from",
    "metric_records",
    "read_comparability",
    "read_options",
    "record_warnings",
    "write_comparability",
]

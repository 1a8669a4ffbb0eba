"""Lab: one handler per feature to test. Results are JSON, so that the suite can compare them.

Each module adds the handlers of one theme to the service.
"""

from . import (
    basics,
    calls,
    cancellation,
    combine,
    errors,
    runs,
    sends,
    signals,
    versions,
    waits,
)
from .service import lab

__all__ = [
    "basics",
    "calls",
    "cancellation",
    "combine",
    "errors",
    "lab",
    "runs",
    "sends",
    "signals",
    "versions",
    "waits",
]

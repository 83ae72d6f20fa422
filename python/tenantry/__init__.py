"""Tenants of PostgreSQL, one schema and one login each: plan, apply and verify them, or create one at a time."""

from ._errors import ApplyFailed, ConfigError, ConsentRequired, Error, QueryFailed, Refused, RunError
from ._project import Tenantry
from ._results import Drift, Plan, Report, Rows, Verification
from ._tenantry import __version__

__all__ = [
    "ApplyFailed",
    "ConfigError",
    "ConsentRequired",
    "Drift",
    "Error",
    "Plan",
    "QueryFailed",
    "Refused",
    "Report",
    "Rows",
    "RunError",
    "Tenantry",
    "Verification",
    "__version__",
]

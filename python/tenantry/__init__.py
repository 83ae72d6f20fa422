"""Tenants of PostgreSQL, one schema and one login each: plan, apply and verify them, or create one at a time."""

from ._admin import Advertise, DatabaseAdmin, TenantConfig, TenantCredentials, TenantInfo, TenantStats
from ._errors import (
    AdminError,
    ApplyFailed,
    ConfigError,
    ConsentRequired,
    DatabaseError,
    Error,
    InvalidConfigError,
    PoolError,
    QueryFailed,
    Refused,
    RunError,
    SqlExecutionError,
)
from ._project import Tenantry
from ._results import Drift, Plan, Report, Rows, Verification
from ._tenantry import __version__

__all__ = [
    "AdminError",
    "Advertise",
    "ApplyFailed",
    "ConfigError",
    "ConsentRequired",
    "DatabaseAdmin",
    "DatabaseError",
    "Drift",
    "Error",
    "InvalidConfigError",
    "Plan",
    "PoolError",
    "QueryFailed",
    "Refused",
    "Report",
    "Rows",
    "RunError",
    "SqlExecutionError",
    "TenantConfig",
    "TenantCredentials",
    "TenantInfo",
    "TenantStats",
    "Tenantry",
    "Verification",
    "__version__",
]

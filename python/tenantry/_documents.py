"""The command's JSON, as types: docs/json.md says what is in it. Fields that may be missing are in the ``total=False`` halves."""

from typing import Any, Dict, List, Optional, TypedDict


class DatabaseIdentity(TypedDict):
    host: str
    port: int
    name: str
    system_identifier: str


class DatabaseChange(TypedDict):
    action: str
    detail: str
    sql: List[str]


class Hazard(TypedDict):
    kind: str
    detail: str


class Change(TypedDict):
    kind: str
    what: str
    before: Optional[str]
    after: Optional[str]
    sql: List[str]


class Note(TypedDict):
    what: str
    detail: str


class Unseen(TypedDict):
    what: str
    hint: Optional[str]


class Targeting(TypedDict):
    looked_at: int
    of: int


class _TenantPlan(TypedDict):
    tenant: str
    verb: str
    schema: str
    username: str
    owner: str
    changes: List[Change]
    hazards: List[Hazard]
    notes: List[Note]


class TenantPlan(_TenantPlan, total=False):
    reason: str
    hint: str


class _PlanDocument(TypedDict):
    format_version: str
    database: DatabaseIdentity
    summary: Dict[str, int]
    database_changes: List[DatabaseChange]
    hazards: List[Hazard]
    unseen: List[Unseen]
    tenants: List[TenantPlan]


class PlanDocument(_PlanDocument, total=False):
    targeting: Targeting
    shape: Dict[str, Any]


class TenantError(TypedDict):
    message: str
    sqlstate: Optional[str]
    hint: Optional[str]


class _TenantOutcome(TypedDict):
    tenant: str
    verb: str
    outcome: str
    error: Optional[TenantError]
    duration_ms: int


class TenantOutcome(_TenantOutcome, total=False):
    archive: str
    ended_sessions: List[str]


class _ReportDocument(TypedDict):
    format_version: str
    summary: Dict[str, int]
    tenants: List[TenantOutcome]


class ReportDocument(_ReportDocument, total=False):
    shared_error: TenantError
    targeting: Targeting


class _Check(TypedDict):
    what: str
    ok: bool
    ruling: str


class Check(_Check, total=False):
    answer: str
    object: str
    sqlstate: str
    detail: str


class _Verdict(TypedDict):
    tenant: str
    ok: bool
    checks: List[Check]
    other_databases: List[str]


class Verdict(_Verdict, total=False):
    tried: bool


class _VerifyDocument(TypedDict):
    format_version: str
    summary: Dict[str, int]
    tenants: List[Verdict]


class VerifyDocument(_VerifyDocument, total=False):
    many_locks: List[Dict[str, Any]]
    targeting: Targeting


# "class" is a keyword of Python's.
_ListRow = TypedDict("_ListRow", {"class": Optional[str]})


class _Row(_ListRow):
    tenant: str
    schema: str
    username: str
    state: str
    declared: Optional[str]
    migration: Optional[int]
    size: int
    connections: int
    secret_age: Optional[int]
    rows: Optional[int]


class ListRow(_Row, total=False):
    last_migration: str
    locks: int

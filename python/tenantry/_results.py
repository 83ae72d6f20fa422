"""What comes of a look and of an apply: the JSON that the command prints, with the fields that programs ask for as attributes."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, Optional, Tuple, cast

from ._documents import PlanDocument, ReportDocument, TenantOutcome, TenantPlan, Verdict, VerifyDocument


class Plan:
    """What apply would do. ``str()`` is the text that ``tenantry plan`` prints."""

    document: PlanDocument
    """As ``tenantry plan --format json`` has it."""
    in_sync: bool
    """Nothing is to be done."""

    def __init__(self, document: str, text: str, in_sync: bool, saved: str) -> None:
        self.document = cast(PlanDocument, json.loads(document))
        self.in_sync = in_sync
        self._text = text
        self._saved = saved

    @property
    def summary(self) -> Dict[str, int]:
        return self.document["summary"]

    @property
    def tenants(self) -> List[TenantPlan]:
        return self.document["tenants"]

    def saved(self) -> str:
        """The plan as ``tenantry plan --out FILE`` writes it: ``tenantry apply FILE`` does exactly that, or nothing."""
        return self._saved

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {_counted(self.summary)}>"


class Drift(Plan):
    """The plan as an alarm."""

    passwords_due: int
    """Tenants whose password is older than their ``rotate_after``."""
    password_ages: Dict[str, int]
    """By tenant, in seconds, where it is known."""

    def __init__(self, shown: Tuple[str, str, bool, str], passwords_due: int, ages: Iterable[Tuple[str, int]]) -> None:
        super().__init__(*shown)
        self.passwords_due = passwords_due
        self.password_ages = dict(ages)


class Report:
    """What came of an apply. ``str()`` is the text that ``tenantry apply`` prints."""

    document: ReportDocument
    """As ``tenantry apply --format json`` has it."""
    ok: bool
    """Every tenant is as declared now."""
    interrupted: bool

    def __init__(self, document: str, text: str, ok: bool, interrupted: bool) -> None:
        self.document = cast(ReportDocument, json.loads(document))
        self.ok = ok
        self.interrupted = interrupted
        self._text = text

    @property
    def summary(self) -> Dict[str, int]:
        return self.document["summary"]

    @property
    def tenants(self) -> List[TenantOutcome]:
        return self.document["tenants"]

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<Report {_counted(self.summary)}>"


class Verification:
    """Whether each tenant can use what is its own, and reach nothing else. ``str()`` is the text that ``tenantry verify`` prints."""

    document: VerifyDocument
    """As ``tenantry verify --format json`` has it."""
    ok: bool
    """Every tenant was tried, and is isolated and working."""

    def __init__(self, document: str, text: str, ok: bool) -> None:
        self.document = cast(VerifyDocument, json.loads(document))
        self.ok = ok
        self._text = text

    @property
    def summary(self) -> Dict[str, int]:
        return self.document["summary"]

    @property
    def tenants(self) -> List[Verdict]:
        return self.document["tenants"]

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<Verification {_counted(self.summary)}>"


class Rows(List[Dict[str, Any]]):
    """Rows of all tenants, each a ``dict`` whose first key is ``tenant``."""

    skipped: Dict[str, str]
    """Tenants that were not asked, and why."""
    cut: Dict[str, str]
    """Tenants of which there are more rows, and why they are not here."""
    undeclared: List[str]
    """Tenants in use that were not asked, because tenants.toml does not name them."""
    all_cut: Optional[str]
    """Why there are not all rows of an aggregate."""

    def __init__(self, rows: Iterable[Dict[str, Any]]) -> None:
        super().__init__(rows)
        self.skipped, self.cut, self.undeclared, self.all_cut = {}, {}, [], None


def _counted(summary: Dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in summary.items() if count) or "nothing"

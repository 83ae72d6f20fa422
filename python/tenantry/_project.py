"""``tenants.toml``: looks at it, and applies it."""

from __future__ import annotations

import json
import os
import warnings
from decimal import Decimal
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union, cast

from . import _tenantry
from ._documents import ListRow
from ._environment import encoded
from ._errors import ApplyFailed, QueryFailed
from ._processes import OfOneProcess
from ._results import Drift, Plan, Report, Rows, Verification


class Tenantry(OfOneProcess):
    """A ``tenants.toml`` and the database that it is about. The file is read anew with each call.

    :param config: the file.
    :param database_url: the database, before ``TENANTRY_DATABASE_URL`` and ``[database] url``.
    :param targets: globs of the keys of the tenants to look at; none: all.
    :param parallelism: how many connections work at once.
    :param env: stands in for ``os.environ``, which is read at this moment.
    :raises ConfigError: all faults of the file and of its migrations at once.
    """

    def __init__(
        self,
        config: Union[str, "os.PathLike[str]"] = "tenants.toml",
        *,
        database_url: Optional[str] = None,
        targets: Iterable[str] = (),
        parallelism: Optional[int] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> None:
        if isinstance(targets, str):
            raise TypeError('targets is a list of globs, such as ["acme-*"]')
        self._config = os.fspath(config)
        self._project = _tenantry.Project(self._config, database_url, list(targets), parallelism, encoded(env))

    def plan(self, *, deep: bool = False, moved: bool = False) -> Plan:
        """What apply would do. Changes nothing, and takes no lock.

        :param deep: try each delivered password, and compare each schema with what the migrations create.
        :param moved: as if this database, which came from elsewhere, were now the one that its secrets are for.
        """
        return Plan(*self._project.plan(deep, moved))

    def drift(self, *, deep: bool = False) -> Drift:
        """Whether anything differs from ``tenants.toml``. Changes nothing."""
        return Drift(*self._project.drift(deep))

    def apply(
        self,
        plan: Union[Plan, str, "os.PathLike[str]", None] = None,
        *,
        allow_removals: int = 0,
        allow_new_secrets: int = 0,
        allow_fleet_change: Iterable[str] = (),
        rename_history: bool = False,
        moved: bool = False,
        deep: bool = False,
        max_failures: int = 3,
        end_blockers: bool = False,
        lock_timeout: float = 0,
    ) -> Report:
        """Makes PostgreSQL and the secret store what ``tenants.toml`` says: each tenant in one transaction.

        A ``KeyboardInterrupt`` starts no more tenants and waits for those in progress; a second one cancels them. It then has the
        report as its attribute ``report``.

        :param plan: exactly this plan, or nothing; a path: one that ``tenantry plan --out`` wrote.
        :param allow_removals: up to so many tenants may be removed.
        :param allow_new_secrets: up to so many tenants may get a new password because their secret is gone.
        :param allow_fleet_change: keys of ``tenants.toml`` that may change much of the fleet.
        :param rename_history: the tenants' history tables may be renamed.
        :param moved: this database may take the secrets over.
        :param max_failures: how many tenants fail with one and the same error before no more are started; 0: any number.
        :param end_blockers: end sessions of tenants that keep it waiting for a lock.
        :param lock_timeout: seconds to wait for another apply on this database.
        :raises ConsentRequired: the plan needs one of the consents above; nothing was changed.
        :raises Refused: a guard says no; nothing was changed.
        :raises ApplyFailed: of one or more tenants, which were rolled back.
        """
        if isinstance(allow_fleet_change, str):
            raise TypeError('allow_fleet_change is a list of keys, such as ["secrets.path"]')
        saved = plan.saved().encode() if isinstance(plan, Plan) else plan
        applied, interrupted = self._project.apply(
            saved,
            allow_removals,
            allow_new_secrets,
            list(allow_fleet_change),
            rename_history,
            moved,
            deep,
            max_failures,
            end_blockers,
            lock_timeout,
        )
        report = Report(applied["json"], applied["text"], applied["is_success"], applied["interrupted"]) if applied["json"] else None
        if interrupted is not None:
            interrupted.report = report  # type: ignore[attr-defined]
            raise interrupted
        assert report is not None
        if not report.ok:
            raise _failed(report)
        return report

    def verify(self, *tenants: str) -> Verification:
        """Logs in as each of these tenants (none: as each) with its delivered secret, and tries what it can reach."""
        return Verification(*self._project.verify(list(tenants)))

    def tenants(self) -> List[ListRow]:
        """The fleet, as ``tenantry list --format json`` has it."""
        return cast(List[ListRow], json.loads(self._project.tenants()))

    def query(
        self,
        sql: str,
        *,
        aggregate: Optional[str] = None,
        tenants: Iterable[str] = (),
        timeout: Optional[float] = None,
        max_rows: Optional[int] = None,
    ) -> Rows:
        """One read-only query in each of these tenants (none: in each), logged in as that tenant.

        Numbers that are not whole are :class:`decimal.Decimal`, so that no digit is lost.

        :param aggregate: SQL over all rows, as SQLite has it: they are the table ``tenants``.
        :param timeout: seconds for each tenant (30).
        :param max_rows: of each tenant (10,000); a warning says when there are more.
        :raises QueryFailed: of one or more tenants. It has the rows of the others.
        """
        if isinstance(tenants, str):
            raise TypeError('tenants is a list of keys, such as ["acme"]')
        text, partly = self._project.query(sql, aggregate, list(tenants), timeout, max_rows)
        rows = Rows(json.loads(text, parse_float=Decimal))
        rows.skipped, rows.cut = dict(partly["skipped"]), dict(partly["cut"])
        rows.undeclared, rows.all_cut = partly["undeclared"], partly["all_cut"]
        if partly["failed"]:
            raise _not_answered(rows, partly["failed"])
        if rows.cut or rows.all_cut:
            why = [f"{tenant}: {why}" for tenant, why in rows.cut.items()] + ([rows.all_cut] if rows.all_cut else [])
            warnings.warn("not all rows are here: " + "; ".join(why), stacklevel=2)
        return rows

    def __repr__(self) -> str:
        return f"Tenantry({self._config!r})"


def _failed(report: Report) -> ApplyFailed:
    errors = [(tenant["tenant"], tenant["error"]) for tenant in report.tenants if tenant["outcome"] != "applied"]
    lines = [f"{tenant}: {error['message']}" if error else f"{tenant}: failed" for tenant, error in errors]
    shared = report.document.get("shared_error")
    if shared:
        lines.insert(0, shared["message"])
    first: Dict[str, Any] = dict(next((error for _, error in errors if error), None) or shared or {})
    more = f"\n… and {len(lines) - 5} more" if len(lines) > 5 else ""
    return ApplyFailed(
        "\n".join(lines[:5]) + more, report=report, hint=first.get("hint"), sqlstate=first.get("sqlstate")
    )


def _not_answered(rows: Rows, failed: List[Tuple[str, str, Optional[str], Optional[str]]]) -> QueryFailed:
    failures = {tenant: {"message": what, "sqlstate": code, "hint": hint} for tenant, what, code, hint in failed}
    _, message, sqlstate, hint = failed[0]
    who = ", ".join(list(failures)[:5]) + (f" and {len(failures) - 5} more" if len(failures) > 5 else "")
    return QueryFailed(f"{who}: {message}", rows=rows, failures=failures, sqlstate=sqlstate, hint=hint)

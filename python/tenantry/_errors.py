"""What can go wrong, as exceptions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

if TYPE_CHECKING:
    from ._results import Report, Rows

# A URL in a message is repeated without its password.
_PASSWORD = re.compile(r"(://[^\s@:/]*):[^\s]*@")


def _veiled(text: str) -> str:
    return _PASSWORD.sub(r"\1:…@", text)


class Error(Exception):
    """Everything that tenantry raises of its own."""

    message: str
    hint: Optional[str]
    """What to do next."""
    sqlstate: Optional[str]
    """PostgreSQL's code, where it was PostgreSQL that said no, such as ``42501``."""

    def __init__(self, message: str, *, hint: Optional[str] = None, sqlstate: Optional[str] = None) -> None:
        super().__init__(_veiled(message))
        self.message = _veiled(message)
        self.hint = _veiled(hint) if hint is not None else None
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        code = f" (SQLSTATE {self.sqlstate})" if self.sqlstate and self.sqlstate not in self.message else ""
        hint = f"\nhint: {self.hint}" if self.hint else ""
        return f"{self.message}{code}{hint}"

    def __reduce__(self) -> Tuple[Any, ...]:
        # Keyword arguments are not in `args`: without this, one that a worker process raises arrives as another error.
        return (_rebuilt, (type(self), self.args, dict(self.__dict__)))


def _rebuilt(kind: type, args: Tuple[Any, ...], state: Dict[str, Any]) -> Error:
    error: Error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class Refused(Error):
    """A guard says no; nothing was changed."""


class ConsentRequired(Refused):
    """The plan does what may be a mistake, and needs a yes to it; nothing was changed."""

    consents: Dict[str, Any]
    """The arguments of :meth:`Tenantry.apply` that would be the yes, such as ``{"allow_removals": 2}``."""

    def __init__(self, message: str, *, consents: Dict[str, Any], **words: Any) -> None:
        super().__init__(message, **words)
        self.consents = consents


class RunError(Error):
    """PostgreSQL, the secret store or the file system said no, or could not be reached."""


class ConfigError(RunError):
    """``tenants.toml`` or a migration is at fault."""

    faults: List[Dict[str, Any]]
    """Each with ``file``, ``line``, ``column``, ``message`` and ``hint``."""

    def __init__(self, message: str, *, faults: Optional[List[Dict[str, Any]]] = None, **words: Any) -> None:
        super().__init__(message, **words)
        self.faults = faults or []


class ApplyFailed(RunError):
    """Not everything could be applied. The tenants that failed were rolled back; what became of each is in the report."""

    report: Report

    def __init__(self, message: str, *, report: Report, **words: Any) -> None:
        super().__init__(message, **words)
        self.report = report


class QueryFailed(RunError):
    """Some tenants gave no rows."""

    rows: Rows
    """Of those that did."""
    failures: Dict[str, Dict[str, Optional[str]]]
    """By tenant: ``message``, ``sqlstate`` and ``hint``."""

    def __init__(
        self, message: str, *, rows: Rows, failures: Dict[str, Dict[str, Optional[str]]], **words: Any
    ) -> None:
        super().__init__(message, **words)
        self.rows = rows
        self.failures = failures


class AdminError(Error):
    """What :class:`DatabaseAdmin` was asked for was not done; nothing was changed, unless the message says so."""


class DatabaseError(AdminError):
    """PostgreSQL, or the secret store, did not do what every change begins with: look, and take the lock."""


class PoolError(AdminError):
    """There was no connection, or it was lost."""


class SqlExecutionError(AdminError):
    """What was asked for could not be done: a name is taken, a right is missing, a migration failed."""


class InvalidConfigError(AdminError):
    """What was asked for makes no sense."""

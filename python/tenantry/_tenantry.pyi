# What python/src defines. Of the package's own use only: its names and arguments may change.

from os import PathLike
from typing import Any, TypedDict, final

__all__ = ["Project", "Server", "__version__"]

__version__: str

_Shown = tuple[str, str, bool, str]

class _Applied(TypedDict):
    json: str
    text: str
    is_success: bool
    interrupted: bool

class _Partly(TypedDict):
    failed: list[tuple[str, str, str | None, str | None]]
    skipped: list[tuple[str, str]]
    cut: list[tuple[str, str]]
    undeclared: list[str]
    all_cut: str | None

@final
class Project:
    def __new__(
        cls,
        file: str | PathLike[str],
        database_url: str | None,
        targets: list[str],
        parallelism: int | None,
        environment: list[tuple[bytes, bytes]],
    ) -> Project: ...
    def plan(self, deep: bool, moved: bool) -> _Shown: ...
    def drift(self, deep: bool) -> tuple[_Shown, int, list[tuple[str, int]]]: ...
    def tenants(self) -> str: ...
    def verify(self, tenants: list[str]) -> tuple[str, str, bool]: ...
    def query(
        self,
        sql: str,
        aggregate: str | None,
        tenants: list[str],
        timeout: float | None,
        max_rows: int | None,
    ) -> tuple[str, _Partly]: ...
    def apply(
        self,
        plan: bytes | str | PathLike[str] | None,
        allow_removals: int,
        allow_new_secrets: int,
        allow_fleet_change: list[str],
        rename_history: bool,
        moved: bool,
        deep: bool,
        max_failures: int,
        end_blockers: bool,
        lock_timeout: float,
    ) -> tuple[_Applied, BaseException | None]: ...

@final
class Server:
    def __new__(cls) -> Server: ...
    url: str
    directory: Any
    def stop(self) -> None: ...

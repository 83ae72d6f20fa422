# What python/src defines. Of the package's own use only: its names and arguments may change.

from os import PathLike
from typing import Any, TypedDict, final

__all__ = ["Admin", "Project", "Server", "__version__", "jdbc_url", "masked_url"]

__version__: str

def jdbc_url(connection_string: str) -> str | None: ...
def masked_url(connection_string: str) -> str: ...

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

_Credentials = tuple[str, str, str, str]

class _Info(TypedDict):
    schema_name: str
    username: str
    key: str
    state: str
    declared_by: str
    created_at: float
    password_changed_at: float | None

class _Stats(TypedDict):
    schema_name: str
    username: str
    bytes: int
    tables: int
    rows: int | None
    connections: int
    migration: int | None

@final
class Admin:
    def __new__(
        cls,
        url: str,
        migrations: str | PathLike[str] | None,
        secrets: str | PathLike[str] | None,
        vault: bool,
        archives: str | PathLike[str] | None,
        advertise: tuple[str | None, int | None, str | None],
        symbols: bool,
        patience: float,
        environment: list[tuple[bytes, bytes]],
    ) -> Admin: ...
    def create_tenant(
        self, schema_name: str, username: str, password: str
    ) -> tuple[_Credentials | None, BaseException | None]: ...
    def copy_tenant(
        self, original: str, schema_name: str, username: str, password: str, with_data: bool
    ) -> tuple[_Credentials | None, BaseException | None]: ...
    def remove_tenant(self, schema_name: str, username: str) -> tuple[tuple[()] | None, BaseException | None]: ...
    def rotate(
        self, schema_name: str, username: str, password: str
    ) -> tuple[_Credentials | None, BaseException | None]: ...
    def list_tenants(self) -> list[_Info]: ...
    def stats(self, schema_name: str) -> _Stats: ...

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

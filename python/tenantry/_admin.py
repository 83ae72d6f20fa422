"""Tenants created and removed one by one, by a program that keeps no ``tenants.toml``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import List, Mapping, Optional, Tuple, Union

from . import _tenantry
from ._environment import encoded
from ._processes import OfOneProcess

_MASK = "********"

_Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Advertise:
    """Where tenants connect, if that is not where the admin does: a pooler, say. What is ``None`` is as the admin's."""

    host: Optional[str] = None
    port: Optional[int] = None
    sslmode: Optional[str] = None


@dataclass
class TenantConfig:
    """The tenant to create. An empty password is generated: 32 letters and digits."""

    schema_name: str
    username: str
    password: str = field(default="", repr=False)

    def __repr__(self) -> str:
        password = _MASK if self.password else ""
        return f"TenantConfig(schema_name={self.schema_name!r}, username={self.username!r}, password={password!r})"


@dataclass(frozen=True)
class TenantCredentials:
    """What a tenant connects with. Neither ``repr`` nor ``str`` shows the password."""

    username: str
    password: str = field(repr=False)
    schema_name: str
    connection_string: str = field(repr=False)
    """A percent-encoded URL, which psql, psycopg, SQLAlchemy and node-postgres open; whoever opens it is in the tenant's schema."""

    @property
    def masked_connection_string(self) -> str:
        """For a log."""
        return _tenantry.masked_url(self.connection_string)

    @property
    def jdbc_url(self) -> Optional[str]:
        """The URL as Java's driver takes it: it reads a user before the host as a part of its name. None for a socket's directory."""
        return _tenantry.jdbc_url(self.connection_string)

    def __repr__(self) -> str:
        return (
            f"TenantCredentials(username={self.username!r}, password={_MASK!r}, schema_name={self.schema_name!r}, "
            f"connection_string={self.masked_connection_string!r})"
        )


@dataclass(frozen=True)
class TenantInfo:
    """A tenant, as the registry knows it."""

    schema_name: str
    username: str
    key: str
    """Its key in ``tenants.toml``, were it declared there."""
    state: str
    """``active``, ``suspended``, or what was begun of its removal or restoration."""
    declared_by: str
    """``api`` (this class), ``file`` or ``source``."""
    created_at: datetime
    password_changed_at: Optional[datetime]


@dataclass(frozen=True)
class TenantStats:
    """What a tenant takes."""

    schema_name: str
    username: str
    bytes: int
    """On disk, indexes and large objects included."""
    tables: int
    rows: Optional[int]
    """About how many, by what PostgreSQL last counted; ``None``: nothing was counted yet."""
    connections: int
    migration: Optional[int]
    """The highest version; ``None``: none was run."""


class DatabaseAdmin(OfOneProcess):
    """Creates and removes tenants in one database, with the same transaction per tenant as ``tenantry apply``. Nobody is connected to
    before the first call. Several threads may use it; one at a time changes something.

    :param database_url: as a role that may create roles and schemas.
    :param migrations: a directory of migrations, which each new tenant gets.
    :param secrets: keeps the credentials in files below this directory too.
    :param vault: keeps them in Vault or OpenBao, as the ``VAULT_*`` variables say.
    :param archives: writes each tenant into this directory before it is removed.
    :param advertise: where tenants connect, as their URLs say; by default where this connects.
    :param symbols: generated passwords are of the 94 printable ASCII characters, and not of letters and digits only.
    :param patience: seconds to wait for another program that changes tenants of this database.
    :param env: stands in for ``os.environ``, which is read at this moment.
    :raises InvalidConfigError: the URL makes no sense, or what is advertised.
    """

    def __init__(
        self,
        database_url: str,
        *,
        migrations: Optional[_Path] = None,
        secrets: Optional[_Path] = None,
        vault: bool = False,
        archives: Optional[_Path] = None,
        advertise: Advertise = Advertise(),
        symbols: bool = False,
        patience: float = 60,
        env: Optional[Mapping[str, str]] = None,
    ) -> None:
        if vault and secrets is not None:
            raise TypeError("secrets and vault: credentials are kept in one store")
        place = (advertise.host, advertise.port, advertise.sslmode)
        self._admin = _tenantry.Admin(
            database_url, migrations, secrets, vault, archives, place, symbols, patience, encoded(env)
        )

    def create_tenant(self, config: TenantConfig) -> TenantCredentials:
        """Creates a schema, a role that logs in, a role that owns the schema, their privileges, and what the migrations create: in one
        transaction, so that a failure leaves nothing.

        :raises SqlExecutionError: a name is taken, a right is missing or a migration failed. A tenant that exists is not created again.
        :raises InvalidConfigError: a name is empty or reserved, or the password is none.
        """
        done = self._admin.create_tenant(config.schema_name, config.username, config.password)
        return _delivered(done)

    def copy_tenant(self, from_schema: str, to: TenantConfig, with_data: bool = False) -> TenantCredentials:
        """Creates a tenant as :meth:`create_tenant` does; ``with_data``: with the rows of the one with this schema."""
        done = self._admin.copy_tenant(from_schema, to.schema_name, to.username, to.password, with_data)
        return _delivered(done)

    def remove_tenant(self, schema_name: str, username: str) -> None:
        """Ends the tenant's sessions, and drops its schema with all that is in it, and its roles.

        :raises SqlExecutionError: there is no such tenant, the username is not that schema's, ``tenants.toml`` declares it, or it
            cannot be dropped; then all of it is still there.
        """
        _done(self._admin.remove_tenant(schema_name, username))

    def rotate(self, schema_name: str, username: str, password: str = "") -> TenantCredentials:
        """Gives the tenant this password, or a generated one. The old one opens nothing more; sessions that are open stay."""
        return _delivered(self._admin.rotate(schema_name, username, password))

    def list_tenants(self) -> List[TenantInfo]:
        """Every tenant of the database, whoever declared it, by schema name."""

        def at(seconds: float) -> datetime:
            return datetime.fromtimestamp(seconds, timezone.utc)

        return [
            TenantInfo(
                schema_name=found["schema_name"],
                username=found["username"],
                key=found["key"],
                state=found["state"],
                declared_by=found["declared_by"],
                created_at=at(found["created_at"]),
                password_changed_at=None if found["password_changed_at"] is None else at(found["password_changed_at"]),
            )
            for found in self._admin.list_tenants()
        ]

    def stats(self, schema_name: str) -> TenantStats:
        """What the tenant with this schema takes.

        :raises SqlExecutionError: there is none.
        """
        return TenantStats(**self._admin.stats(schema_name))

    def __repr__(self) -> str:
        return "DatabaseAdmin(…)"


def _delivered(done: Tuple[Optional[Tuple[str, str, str, str]], Optional[BaseException]]) -> TenantCredentials:
    parts, interrupted = done
    credentials = TenantCredentials(*parts) if parts else None
    if interrupted is not None:
        # The tenant is there, and nobody could look its password up.
        interrupted.credentials = credentials  # type: ignore[attr-defined]
        raise interrupted
    assert credentials is not None
    return credentials


def _done(done: Tuple[Optional[Tuple[()]], Optional[BaseException]]) -> None:
    if done[1] is not None:
        raise done[1]

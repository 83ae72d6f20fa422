"""Tenants for tests: each is made for one test, with the project's migrations, and removed after it.

They are on the database of ``TENANTRY_DATABASE_URL``; without it, on a throw-away PostgreSQL that is started for the run, and by
pytest-xdist for each of its workers.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Callable, Iterator, List, Optional

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from . import DatabaseAdmin, TenantCredentials

Tenants = Callable[[int], "List[TenantCredentials]"]
"""What the fixture ``tenants`` is: ``tenants(3)`` makes three."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "tenantry_migrations",
        "the directory of migrations that tenants of tests get; by default migrations/, where there is one",
        default=None,
    )


@pytest.fixture(scope="session")
def tenantry_url() -> Iterator[str]:
    """The admin's URL of the database that tenants are made in."""
    url = os.environ.get("TENANTRY_DATABASE_URL")
    if url:
        yield url
        return
    from ._tenantry import Server

    server = Server()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def tenantry_admin(tenantry_url: str, pytestconfig: pytest.Config) -> DatabaseAdmin:
    """The :class:`tenantry.DatabaseAdmin` that makes them."""
    from . import DatabaseAdmin

    # Each worker of pytest-xdist waits for the others' changes.
    return DatabaseAdmin(tenantry_url, migrations=_migrations(pytestconfig), patience=600)


def _migrations(config: pytest.Config) -> Optional[Path]:
    named: Optional[str] = config.getini("tenantry_migrations")
    directory = config.rootpath / (named or "migrations")
    if named or directory.is_dir():
        return directory
    return None


@pytest.fixture
def tenants(tenantry_admin: DatabaseAdmin) -> Iterator[Tenants]:
    """``tenants(n)`` makes n tenants: :class:`tenantry.TenantCredentials`, whose ``connection_string`` opens the tenant's schema."""
    from . import TenantConfig

    made: List[TenantCredentials] = []

    def make(count: int = 1) -> List[TenantCredentials]:
        new = []
        for _ in range(count):
            # Another run may be on the same database.
            name = f"test_{secrets.token_hex(6)}"
            new.append(tenantry_admin.create_tenant(TenantConfig(name, f"{name}_user")))
            made.append(new[-1])
        return new

    yield make
    errors = []
    for tenant in made:
        try:
            tenantry_admin.remove_tenant(tenant.schema_name, tenant.username)
        except Exception as error:  # The others are to be removed all the same.
            errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture
def tenant(tenants: Tenants) -> TenantCredentials:
    """One tenant."""
    return tenants(1)[0]

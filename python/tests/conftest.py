"""A throw-away PostgreSQL, and projects on databases of their own in it."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

import tenantry
from tenantry import _tenantry

pytest_plugins = ["pytester"]

# A shell ignores SIGINT for what it starts in the background, and so does all that this starts; some tests send it.
IS_MAIN = threading.current_thread() is threading.main_thread()
if IS_MAIN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def late(*_: object) -> None:
    raise TimeoutError("a test takes more than five minutes")


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """A program that a test waits for, and that says nothing, fails the test."""
    if IS_MAIN:
        signal.signal(signal.SIGALRM, late)
        signal.alarm(300)
    yield
    signal.alarm(0)

USERS = "CREATE TABLE users (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text NOT NULL);"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The superuser's URL."""
    server = _tenantry.Server()
    yield server.url
    server.stop()


_number = itertools.count(1)


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The superuser's URL of a database that nobody else uses."""
    name = f"py_{next(_number)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Project:
    """A tenants.toml and its migrations in a directory. Its tenants' names are its own: roles are the cluster's."""

    def __init__(self, dir: Path, url: str) -> None:
        self.dir, self.url, self.name = dir, url, urlsplit(url).path[1:]
        self.file = dir / "tenants.toml"
        (dir / "migrations").mkdir()
        self.migration("V1__users.sql", USERS)

    def migration(self, name: str, sql: str) -> None:
        (self.dir / "migrations" / name).write_text(sql)

    def declares(self, tenants: str, rest: str = "") -> None:
        defaults = f'[defaults]\nschema = "{self.name}_{{tenant}}"\nusername = "{self.name}_{{tenant}}_user"\n'
        owner = f'owner = "{self.name}_{{tenant}}_owner"\non_remove = "drop"\n'
        self.file.write_text(f"{defaults}{owner}[tenants]\n{tenants}\n{rest}")

    def open(self, **options: Any) -> tenantry.Tenantry:
        # Nothing of the caller's environment but the way to pg_dump.
        return tenantry.Tenantry(self.file, database_url=self.url, env={}, **options)

    def secret(self, tenant: str) -> Dict[str, Any]:
        text = (self.dir / ".tenantry" / "secrets" / "tenants" / tenant).with_suffix(".json").read_text()
        found: Dict[str, Any] = json.loads(text)
        return found


@pytest.fixture
def project(tmp_path: Path, database: str) -> Iterator[Project]:
    project = Project(tmp_path, database)
    project.declares("acme = {}\nglobex = {}")
    yield project
    # Roles outlive the database.
    project.declares("")
    try:
        project.open().apply(allow_removals=99)
    except tenantry.Error:
        pass


Execute = Callable[..., Any]


@pytest.fixture
def execute(database: str) -> Iterator[Execute]:
    """Runs SQL as the superuser, with the rows if there are any."""
    with psycopg.connect(database, autocommit=True) as admin:

        def run(sql: str, *values: Any) -> Any:
            cursor = admin.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else None

        yield run

"""A throw-away PostgreSQL, and projects on databases of their own in it."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List
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


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is raised names nothing of Rust's, such as ``DatabaseAdmin::with_archives``."""
    said: List[str] = []
    init = tenantry.Error.__init__

    def noted(self: tenantry.Error, *args: Any, **more: Any) -> None:
        init(self, *args, **more)
        said.append(str(self))

    monkeypatch.setattr(tenantry.Error, "__init__", noted)
    yield
    assert [text for text in said if re.search(r"[A-Z]\w*::\w|\bwith_[a-z]", text)] == []


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


@pytest.fixture(params=["superuser", "createrole"])
def url(database: str, request: pytest.FixtureRequest) -> str:
    """The URL of that database's admin: of a superuser, and of one who may create roles and schemas and is none."""
    if request.param == "superuser":
        return database
    name = urlsplit(database).path[1:]
    with psycopg.connect(database, autocommit=True) as superuser:
        superuser.execute(f"CREATE ROLE {name}_admin LOGIN CREATEROLE PASSWORD 'a'")
        superuser.execute(f"GRANT CREATE ON DATABASE {name} TO {name}_admin")
    parts = urlsplit(database)
    return parts._replace(netloc=f"{name}_admin:a@{parts.hostname}:{parts.port}").geturl()


@pytest.fixture
def programs() -> Dict[str, str]:
    """Where pg_dump is, and nothing else of the caller's environment."""
    return {name: os.environ[name] for name in ("PATH", "TENANTRY_PG_BINDIR") if name in os.environ}


class Vault:
    """OpenBao, in memory."""

    def __init__(self, dir: Path) -> None:
        scripts = Path(__file__).parents[2] / "scripts"
        binary = subprocess.run([scripts / "openbao.sh"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{free.getsockname()[1]}"
        self.env = {"VAULT_ADDR": f"http://{place}", "VAULT_TOKEN": "root-token-of-the-tests"}
        arguments = ["-dev", f"-dev-root-token-id={self.env['VAULT_TOKEN']}", "-dev-no-store-token"]
        with open(dir / "log", "wb") as log:
            # The shell waits on a pipe that only this process holds. When we end, however we do, the server is killed.
            self.process = subprocess.Popen(
                ["sh", "-c", '"$@" & read -r _; kill -9 $!; wait', "sh", binary, "server", *arguments]
                + [f"-dev-listen-address={place}"],
                env={"HOME": str(dir)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.ask("sys/health")
                return
            except OSError:
                assert time.monotonic() < deadline, (dir / "log").read_text()
                time.sleep(0.05)

    def ask(self, path: str) -> Any:
        request = urllib.request.Request(f"{self.env['VAULT_ADDR']}/v1/{path}")
        request.add_header("X-Vault-Token", self.env["VAULT_TOKEN"])
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.communicate()


@pytest.fixture
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    vault = Vault(tmp_path_factory.mktemp("vault"))
    yield vault
    vault.stop()


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

"""DatabaseAdmin: tenants one by one."""

from __future__ import annotations

import logging
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Dict, Iterator
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import sqlalchemy

import tenantry
from tenantry import Advertise, DatabaseAdmin, TenantConfig

from conftest import USERS, Execute, Vault
from test_interrupt import sleeps, until


class Names:
    """Of this test's own: roles are the cluster's."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def config(self, tenant: str, password: str = "") -> TenantConfig:
        return TenantConfig(schema_name=f"{self.prefix}_{tenant}", username=f"{self.prefix}_{tenant}_user", password=password)


@pytest.fixture
def names(database: str) -> Names:
    return Names(database.rpartition("/")[2])


@pytest.fixture
def admin(url: str) -> Iterator[DatabaseAdmin]:
    admin = DatabaseAdmin(url, env={})
    yield admin
    for tenant in admin.list_tenants():
        admin.remove_tenant(tenant.schema_name, tenant.username)


def answers(url: str, sql: str = "SELECT current_user::text, current_schema()::text") -> object:
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchone()


def test_a_tenant_is_created_used_and_removed(admin: DatabaseAdmin, names: Names) -> None:
    credentials = admin.create_tenant(names.config("acme"))
    assert (credentials.schema_name, credentials.username) == (f"{names.prefix}_acme", f"{names.prefix}_acme_user")
    assert len(credentials.password) == 32 and credentials.password.isalnum()
    assert answers(credentials.connection_string) == (credentials.username, credentials.schema_name)
    [info] = admin.list_tenants()
    assert (info.schema_name, info.state, info.declared_by) == (credentials.schema_name, "active", "api")
    assert info.created_at.tzinfo is not None
    admin.remove_tenant(credentials.schema_name, credentials.username)
    assert admin.list_tenants() == []
    with pytest.raises(psycopg.OperationalError):
        answers(credentials.connection_string)


def test_a_password_with_symbols_makes_a_url_that_connects(admin: DatabaseAdmin, names: Names) -> None:
    password = "".join(chr(code) for code in range(33, 127)) + "é"
    credentials = admin.create_tenant(names.config("odd", password))
    assert credentials.password == password
    assert answers(credentials.connection_string)
    engine = sqlalchemy.create_engine(credentials.connection_string.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT current_schema()")).scalar() == credentials.schema_name
    engine.dispose()


def test_symbols_on_request(url: str, admin: DatabaseAdmin, names: Names) -> None:
    made = [DatabaseAdmin(url, symbols=True, env={}).create_tenant(names.config(f"t{n}")) for n in range(2)]
    assert not any(credentials.password.isalnum() for credentials in made)
    assert all(answers(credentials.connection_string) for credentials in made)


def test_no_password_is_shown(admin: DatabaseAdmin, names: Names, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    config = names.config("acme", "hush:@/hush-hush")
    credentials = admin.create_tenant(config)
    shown = f"{config!r} {config} {credentials!r} {credentials} {admin!r} {credentials.masked_connection_string}"
    assert "hush" not in shown + caplog.text and "********" in shown
    assert credentials.masked_connection_string.startswith(f"postgresql://{credentials.username}:********@")
    assert credentials.jdbc_url is not None
    place, _, query = credentials.jdbc_url.partition("?")
    assert place.startswith("jdbc:postgresql://") and "@" not in credentials.jdbc_url
    assert parse_qs(query)["password"] == [credentials.password]
    with pytest.raises(tenantry.AdminError) as caught:
        admin.create_tenant(config)
    assert "hush" not in f"{caught.value!r} {caught.value}"


def test_what_goes_wrong_has_a_class_and_a_sqlstate(admin: DatabaseAdmin, names: Names, database: str) -> None:
    config = names.config("acme")
    admin.create_tenant(config)
    with pytest.raises(tenantry.SqlExecutionError, match=config.username) as caught:
        admin.create_tenant(TenantConfig(f"{names.prefix}_other", config.username))
    assert caught.value.sqlstate == "42710"
    assert pickle.loads(pickle.dumps(caught.value)).sqlstate == "42710"
    with pytest.raises(tenantry.InvalidConfigError, match="Schema name cannot be empty"):
        admin.create_tenant(TenantConfig("", "x"))
    with pytest.raises(tenantry.SqlExecutionError):
        admin.remove_tenant(f"{names.prefix}_nobody", "nobody")
    with pytest.raises(tenantry.PoolError) as refused:
        DatabaseAdmin(database.replace("postgres:", "postgres:wrong", 1), env={}).list_tenants()
    assert refused.value.sqlstate == "28P01"
    with pytest.raises(tenantry.InvalidConfigError):
        DatabaseAdmin("", env={})
    assert issubclass(tenantry.PoolError, tenantry.AdminError) and issubclass(tenantry.AdminError, tenantry.Error)


def test_a_failed_migration_is_an_error_and_leaves_nothing(
    url: str, admin: DatabaseAdmin, names: Names, tmp_path: Path, execute: Execute
) -> None:
    directory = tmp_path
    (directory / "V1__users.sql").write_text(USERS)
    (directory / "V2__broken.sql").write_text("CREATE TABLE orders (id bigint REFERENCES nobody);")
    migrating = DatabaseAdmin(url, migrations=directory, env={})
    with pytest.raises(tenantry.SqlExecutionError) as caught:
        migrating.create_tenant(names.config("acme"))
    assert caught.value.sqlstate == "42P01"
    assert execute("SELECT 1 FROM pg_roles WHERE rolname LIKE %s", f"{names.prefix}\\_acme%") == []
    (directory / "V2__broken.sql").unlink()
    credentials = migrating.create_tenant(names.config("acme"))
    assert answers(credentials.connection_string, "SELECT count(*) FROM users") == (0,)
    stats = migrating.stats(credentials.schema_name)
    assert (stats.migration, stats.connections, stats.schema_name) == (1, 0, credentials.schema_name)


def test_the_url_names_the_place_that_is_advertised(url: str, admin: DatabaseAdmin, names: Names) -> None:
    port = urlsplit(url).port
    for wrong in (Advertise(host="a,b"), Advertise(port=0), Advertise(port=70000), Advertise(sslmode="always")):
        with pytest.raises(tenantry.InvalidConfigError, match="advertise"):
            DatabaseAdmin(url, advertise=wrong, env={})
    advertise = Advertise(host="localhost", port=port, sslmode="prefer")
    made = DatabaseAdmin(url, advertise=advertise, env={}).create_tenant(names.config("acme"))
    assert made.connection_string.endswith(f"@localhost:{port}{urlsplit(url).path}?sslmode=prefer")
    assert answers(made.connection_string) == (made.username, made.schema_name)


def test_rotation_and_copies(admin: DatabaseAdmin, names: Names) -> None:
    first = admin.create_tenant(names.config("acme"))
    second = admin.rotate(first.schema_name, first.username)
    assert second.password != first.password and answers(second.connection_string)
    with pytest.raises(psycopg.OperationalError):
        answers(first.connection_string)
    copy = admin.copy_tenant(first.schema_name, names.config("copy"))
    assert answers(copy.connection_string) == (copy.username, copy.schema_name)


def test_apply_never_removes_them(url: str, admin: DatabaseAdmin, names: Names, tmp_path: Path) -> None:
    credentials = admin.create_tenant(names.config("acme"))
    file = tmp_path / "tenants.toml"
    file.write_text('[database]\npublic_schema = "keep"\n[tenants]\n')
    (tmp_path / "migrations").mkdir()
    fleet = tenantry.Tenantry(file, database_url=url, env={})
    fleet.apply(allow_removals=9)
    assert answers(credentials.connection_string)
    assert fleet.query("SELECT 1").undeclared == [credentials.schema_name]


def test_twenty_at_once_while_others_run(admin: DatabaseAdmin, names: Names) -> None:
    came = []
    threads = [
        threading.Thread(target=lambda n=n: came.append(admin.create_tenant(names.config(f"t{n}")))) for n in range(20)
    ]
    ticks = 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        ticks += 1
        time.sleep(0.01)
    assert len({credentials.schema_name for credentials in came}) == 20
    assert ticks > 20


PROGRAM = """
import sys, tenantry
admin = tenantry.DatabaseAdmin(sys.argv[1], migrations=sys.argv[2], env={})
try:
    admin.create_tenant(tenantry.TenantConfig(sys.argv[3], sys.argv[3] + "_user"))
except KeyboardInterrupt as interrupt:
    print(interrupt.credentials.connection_string)
"""


def test_an_interrupt_waits_for_the_tenant_and_keeps_its_password(
    url: str, admin: DatabaseAdmin, names: Names, tmp_path: Path, execute: Execute
) -> None:
    (tmp_path / "V1__slow.sql").write_text("SELECT pg_sleep(2);")
    command = [sys.executable, "-c", PROGRAM, url, str(tmp_path), f"{names.prefix}_acme"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    until(lambda: sleeps(execute))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert answers(out.strip())


def test_credentials_are_kept_in_vault(
    url: str, admin: DatabaseAdmin, names: Names, vault: Vault, execute: Execute
) -> None:
    keeping = DatabaseAdmin(url, vault=True, env=vault.env)
    first = keeping.create_tenant(names.config("acme"))
    assert answers(first.connection_string)
    credentials = keeping.rotate(first.schema_name, first.username)
    assert answers(credentials.connection_string)
    secret = vault.ask(f"secret/data/tenants/{first.schema_name}")["data"]["data"]
    assert secret["url"] == credentials.connection_string and secret["password"] == credentials.password
    assert credentials.password != first.password
    with pytest.raises(tenantry.SqlExecutionError, match=r"is in another store: vault\n"):
        admin.remove_tenant(first.schema_name, first.username)
    keeping.remove_tenant(first.schema_name, first.username)
    with pytest.raises(OSError, match="404"):
        vault.ask(f"secret/metadata/tenants/{first.schema_name}")

    vault.stop()
    with pytest.raises(tenantry.DatabaseError, match="cannot reach the secret store") as caught:
        keeping.create_tenant(names.config("other"))
    assert caught.value.hint is not None and vault.env["VAULT_ADDR"] in caught.value.hint
    assert execute("SELECT 1 FROM pg_roles WHERE rolname LIKE %s", f"{names.prefix}\\_other%") == []
    with pytest.raises(TypeError):
        DatabaseAdmin(url, vault=True, secrets="secrets", env={})


def test_a_tenant_is_archived_before_it_is_removed(
    url: str, admin: DatabaseAdmin, names: Names, tmp_path: Path, programs: Dict[str, str]
) -> None:
    archiving = DatabaseAdmin(url, archives=tmp_path, env=programs)
    credentials = archiving.create_tenant(names.config("acme"))
    with psycopg.connect(credentials.connection_string) as connection:
        connection.execute("CREATE TABLE notes AS SELECT 'kept' AS note")
    archiving.remove_tenant(credentials.schema_name, credentials.username)
    assert admin.list_tenants() == []
    assert any(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())


def test_a_hint_says_what_to_do_in_no_languages_words(
    url: str, admin: DatabaseAdmin, names: Names, tmp_path: Path, execute: Execute, programs: Dict[str, str]
) -> None:
    def hint(work: Callable[[], object]) -> str:
        with pytest.raises(tenantry.AdminError) as caught:
            work()
        return caught.value.hint or ""

    config = names.config("acme")
    admin.create_tenant(config)
    assert "rotate" in hint(lambda: admin.create_tenant(config))
    assert "list_tenants" in hint(lambda: admin.remove_tenant(f"{names.prefix}_nobody", "nobody"))
    kept, archived = names.config("kept"), names.config("archived")
    keeping = DatabaseAdmin(url, secrets=tmp_path / "secrets", env={})
    keeping.create_tenant(kept)
    assert hint(lambda: admin.remove_tenant(kept.schema_name, kept.username)) == "name that store"
    keeping.remove_tenant(kept.schema_name, kept.username)
    archiving = DatabaseAdmin(url, archives=tmp_path / "archives", env=programs)
    archiving.create_tenant(archived)
    assert "archives" in hint(lambda: admin.remove_tenant(archived.schema_name, archived.username))
    archiving.remove_tenant(archived.schema_name, archived.username)

    (tmp_path / "V1__slow.sql").write_text("SELECT pg_sleep(2);")
    slow = DatabaseAdmin(url, migrations=tmp_path, env={})
    thread = threading.Thread(target=lambda: slow.create_tenant(names.config("slow")))
    thread.start()
    until(lambda: sleeps(execute))
    assert "patience" in hint(lambda: DatabaseAdmin(url, patience=0, env={}).create_tenant(names.config("hasty")))
    thread.join()

"""The fixtures, as a project uses them that has nothing of ours but the wheel."""

from __future__ import annotations

import psycopg
import pytest

from conftest import USERS

TESTS = """
import psycopg

def names(credentials):
    with psycopg.connect(credentials.connection_string) as connection:
        return [name for name, in connection.execute("SELECT name FROM users")]

def test_a_tenant_is_migrated_and_empty(tenant):
    assert names(tenant) == []
    with psycopg.connect(tenant.connection_string) as connection:
        connection.execute("INSERT INTO users (name) VALUES ('Ada')")
    assert names(tenant) == ["Ada"]

def test_it_is_another_one_each_time(tenant):
    assert names(tenant) == []

def test_tenants_are_strangers(tenants):
    one, other = tenants(2)
    with psycopg.connect(one.connection_string) as connection:
        try:
            connection.execute(f'SELECT * FROM "{other.schema_name}".users')
        except psycopg.errors.InsufficientPrivilege:
            return
    raise AssertionError("one reads the other")

def test_nobody_asks_for_one():
    pass
"""


@pytest.fixture
def generated(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("TENANTRY_DATABASE_URL", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(test_theirs=TESTS)
    pytester.makeini("[pytest]\ntenantry_migrations = db/tenant\n")
    (pytester.path / "db" / "tenant").mkdir(parents=True)
    (pytester.path / "db" / "tenant" / "V1__users.sql").write_text(USERS)
    return pytester


def test_on_a_throw_away_server(generated: pytest.Pytester) -> None:
    generated.runpytest_subprocess().assert_outcomes(passed=4)


def test_on_a_database_of_ones_own_with_xdist(
    generated: pytest.Pytester, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENANTRY_DATABASE_URL", database)
    generated.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)
    with psycopg.connect(database) as admin:
        left = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'test\\_%' UNION SELECT rolname FROM pg_roles WHERE rolname LIKE 'test\\_%'"
        assert admin.execute(left).fetchall() == []
        assert admin.execute("SELECT count(*) > 3 FROM tenantry.audit_log").fetchone() == (True,)


def test_a_broken_migration_is_the_tests_error(generated: pytest.Pytester) -> None:
    (generated.path / "db" / "tenant" / "V2__broken.sql").write_text("CREATE TABLE orders (of nothing);")
    result = generated.runpytest_subprocess("-k", "migrated")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*SqlExecutionError*V2__broken*"])

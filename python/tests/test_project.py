"""Tenantry("tenants.toml"): what the command does, from Python."""

from __future__ import annotations

import copy
import json
import pickle
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Dict, List

import psycopg
import pytest
import sqlalchemy

import tenantry

from conftest import Execute, Project


def test_plan_apply_and_nothing_left(project: Project) -> None:
    fleet = project.open()
    plan = fleet.plan()
    assert plan.summary["create"] == 2 and not plan.in_sync
    assert [tenant["tenant"] for tenant in plan.tenants] == ["acme", "globex"]
    assert "CREATE" in json.dumps(plan.document) and "acme" in str(plan)
    report = fleet.apply()
    assert report.ok and report.summary["applied"] == 2
    assert {tenant["outcome"] for tenant in report.tenants} == {"applied"}
    assert fleet.plan().in_sync
    drift = fleet.drift()
    assert drift.in_sync and set(drift.password_ages) == {"acme", "globex"} and drift.passwords_due == 0
    verification = fleet.verify()
    assert verification.ok, str(verification)
    assert verification.summary == {"verified": 2, "failed": 0}
    rows = fleet.tenants()
    assert [(row["tenant"], row["state"], row["migration"]) for row in rows] == [
        ("acme", "active", 1),
        ("globex", "active", 1),
    ]


def test_drift_is_seen(project: Project, execute: Execute) -> None:
    project.open().apply()
    execute(f'REVOKE USAGE ON SCHEMA "{project.name}_acme" FROM "{project.name}_acme_user"')
    drift = project.open().drift()
    assert not drift.in_sync and drift.summary["update"] == 1
    verification = project.open().verify("acme")
    assert not verification.ok and verification.summary["failed"] == 1


def test_a_delivered_url_opens_with_psycopg_and_sqlalchemy(project: Project) -> None:
    project.declares('acme = { password_from = "p@ss:w/rd %25#?&=+ \\u00e9\\\\\'\\"" }')
    project.open().apply()
    url = project.secret("acme")["url"]
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO users (name) VALUES ('Ada')")
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection_:
        assert connection_.execute(sqlalchemy.text("SELECT name FROM users")).scalars().all() == ["Ada"]
    engine.dispose()


def test_query_asks_each_tenant_as_itself(project: Project) -> None:
    fleet = project.open()
    fleet.apply()
    for tenant, names in {"acme": ["Ada", "Bob"], "globex": ["Cleo"]}.items():
        with psycopg.connect(project.secret(tenant)["url"]) as connection:
            for name in names:
                connection.execute("INSERT INTO users (name) VALUES (%s)", (name,))
    rows = fleet.query("SELECT count(*) AS n, 0.10::numeric AS price FROM users")
    assert rows == [
        {"tenant": "acme", "n": 2, "price": Decimal("0.10")},
        {"tenant": "globex", "n": 1, "price": Decimal("0.10")},
    ]
    assert fleet.query("SELECT name FROM users", tenants=["globex"]) == [{"tenant": "globex", "name": "Cleo"}]
    assert fleet.query("SELECT id FROM users", aggregate="SELECT count(*) AS n FROM tenants") == [{"n": 3}]
    with pytest.raises(tenantry.Refused, match="DELETE"):
        fleet.query("DELETE FROM users")
    with pytest.warns(UserWarning, match="acme: more than 1 rows"):
        assert fleet.query("SELECT name FROM users ORDER BY id", max_rows=1).cut == {"acme": "more than 1 rows"}


def test_a_query_that_fails_in_one_tenant_has_the_rows_of_the_others(project: Project, execute: Execute) -> None:
    fleet = project.open()
    fleet.apply()
    execute(f'DROP TABLE "{project.name}_acme".users')
    with pytest.raises(tenantry.QueryFailed) as caught:
        fleet.query("SELECT count(*) AS n FROM users")
    assert caught.value.sqlstate == "42P01"
    assert caught.value.rows == [{"tenant": "globex", "n": 0}]
    assert caught.value.failures["acme"]["sqlstate"] == "42P01"


def test_a_removal_needs_a_consent_that_the_exception_spells_out(project: Project) -> None:
    fleet = project.open()
    fleet.apply()
    project.declares("acme = {}")
    with pytest.raises(tenantry.ConsentRequired, match="would remove 1 tenant") as caught:
        fleet.apply()
    assert caught.value.consents == {"allow_removals": 1}
    assert caught.value.hint == "if that is intended: apply(allow_removals=1)"
    assert fleet.query("SELECT 1 AS one", tenants=["acme"]).undeclared == ["globex"]
    assert fleet.apply(**caught.value.consents).ok
    assert [row["tenant"] for row in fleet.tenants()] == ["acme"]


def test_a_failed_migration_is_an_exception_with_the_report(project: Project) -> None:
    project.migration("V2__broken.sql", "CREATE TABLE orders (id bigint REFERENCES nobody);")
    with pytest.raises(tenantry.ApplyFailed, match="acme: ") as caught:
        project.open().apply()
    failed = caught.value
    assert failed.sqlstate == "42P01" and failed.report.summary["failed"] == 2
    assert "SQLSTATE 42P01" in str(failed)
    assert project.open().plan().summary["create"] == 2


def test_exactly_the_plan_that_was_looked_at_is_applied(project: Project) -> None:
    fleet = project.open()
    plan = fleet.plan()
    project.declares("acme = {}\nglobex = {}\ninitech = {}")
    with pytest.raises(tenantry.Refused, match="nothing was changed"):
        fleet.apply(plan)
    plan = fleet.plan()
    saved = project.dir / "saved.plan"
    saved.write_text(plan.saved())
    assert fleet.apply(saved).summary["applied"] == 3
    with pytest.raises(tenantry.Refused):
        fleet.apply(plan)


def test_targets_limit_what_is_done(project: Project) -> None:
    assert project.open(targets=["ac*"]).apply().summary["applied"] == 1
    assert project.open().plan().summary["create"] == 1
    with pytest.raises(tenantry.Refused, match="matches no tenant"):
        project.open(targets=["nobody"]).plan()


def test_all_faults_of_the_file_are_told_with_their_places(project: Project) -> None:
    project.file.write_text('[tenants]\nacme = { schema = "pg_x" }\nglobex = { nope = 1 }\n')
    with pytest.raises(tenantry.ConfigError) as caught:
        project.open()
    assert [(fault["line"], fault["file"]) for fault in caught.value.faults] == [(2, str(project.file)), (3, str(project.file))]


def test_an_error_of_postgresql_has_its_sqlstate_and_no_password(project: Project) -> None:
    project.url = project.url.replace("postgres:", "postgres:hush", 1)
    with pytest.raises(tenantry.RunError) as caught:
        project.open().plan()
    assert caught.value.sqlstate == "28P01"
    assert "hush" not in str(caught.value) + repr(caught.value) + repr(project.open())
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.sqlstate) == (tenantry.RunError, str(caught.value), "28P01")
    assert copy.copy(caught.value).hint == caught.value.hint


def test_the_environment_is_what_was_given(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.declares('acme = { password_from = "${ACME_PASSWORD}" }')
    monkeypatch.setenv("ACME_PASSWORD", "from the process, and long enough")
    with pytest.raises(tenantry.ConfigError, match="ACME_PASSWORD|fault|error"):
        tenantry.Tenantry(project.file, env={})
    fleet = tenantry.Tenantry(project.file, database_url=project.url)
    fleet.apply()
    assert project.secret("acme")["password"] == "from the process, and long enough"


def test_other_threads_run_meanwhile(project: Project) -> None:
    project.migration("V2__slow.sql", "SELECT pg_sleep(1);")
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.01)

    ticking = threading.Thread(target=tick)
    ticking.start()
    before = ticks
    project.open().apply()
    during = ticks - before
    done.set()
    ticking.join()
    assert during > 20


def test_two_applies_at_once_are_one_and_a_refusal(project: Project) -> None:
    project.migration("V2__slow.sql", "SELECT pg_sleep(2);")
    came: List[Any] = []
    first = threading.Thread(target=lambda: came.append(project.open().apply()))
    first.start()
    time.sleep(1)
    with pytest.raises(tenantry.Refused):
        project.open().apply()
    assert not project.open().apply(lock_timeout=60).summary["applied"]
    first.join()
    assert came[0].ok


def test_arguments_that_are_a_word_where_a_list_belongs(project: Project) -> None:
    with pytest.raises(TypeError, match="acme-"):
        project.open(targets="acme")
    with pytest.raises(tenantry.Refused, match="no such key"):
        project.open().apply(allow_fleet_change=["nope"])
    with pytest.raises(ValueError):
        project.open().apply(lock_timeout=-1)


def test_the_fields_of_the_documents_are_those_of_the_schemas() -> None:
    from tenantry import _documents as documents

    docs = Path(__file__).parents[2] / "docs"
    plan, report, rows = (json.loads((docs / f"{name}.schema.json").read_text()) for name in ("plan", "report", "list"))
    kinds: Dict[Any, Any] = {
        documents.PlanDocument: plan,
        documents.TenantPlan: plan["$defs"]["TenantPlan"],
        documents.Change: plan["$defs"]["Change"],
        documents.DatabaseIdentity: plan["$defs"]["DatabaseIdentity"],
        documents.ReportDocument: report,
        documents.TenantOutcome: report["$defs"]["TenantOutcome"],
        documents.TenantError: report["$defs"]["TenantError"],
        documents.ListRow: rows["$defs"]["ListRow"],
    }
    for kind, schema in kinds.items():
        assert set(kind.__annotations__) == set(schema["properties"]), kind
        assert set(schema.get("required", [])) == kind.__required_keys__, kind

"""Twenty customers sign up at once, on the throw-away PostgreSQL of tenantry's pytest plugin (or TENANTRY_DATABASE_URL)."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator, List

import psycopg
import pytest
from fastapi.testclient import TestClient

from signup import Customers, create_app


@pytest.fixture
def client(tenantry_url: str, tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(tenantry_url, tmp_path / "secrets")
    with TestClient(app) as client:
        yield client
    customers: Customers = app.state.customers
    for slug in list(customers.urls):
        customers.leave(slug)


def slugs(count: int) -> List[str]:
    run = secrets.token_hex(4)
    return [f"c{run}n{number}" for number in range(count)]


def test_twenty_customers_sign_up_at_once(client: TestClient) -> None:
    names = slugs(20)

    def sign_up(slug: str) -> int:
        status: int = client.post("/customers", json={"slug": slug, "email": f"ann@{slug}.example"}).status_code
        return status

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(sign_up, names)) == [201] * 20
    assert {f"customer_{slug}" for slug in names} <= set(client.get("/customers").json())
    for slug in names[:3]:
        assert client.post(f"/customers/{slug}/notes", json={"text": f"of {slug}"}).status_code == 201
        assert client.get(f"/customers/{slug}/notes").json() == [{"text": f"of {slug}"}]
    assert client.get(f"/customers/{names[3]}/notes").json() == []


def test_a_name_is_one_customers(client: TestClient) -> None:
    [slug] = slugs(1)
    asked = {"slug": slug, "email": "ann@acme.example"}
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: client.post("/customers", json=asked).status_code, range(4)))
    assert sorted(statuses) == [201, 409, 409, 409]
    with client.app.state.customers.connect(slug) as session:  # type: ignore[attr-defined]
        assert session.execute("SELECT email FROM users").fetchall() == [("ann@acme.example",)]
    assert client.delete(f"/customers/{slug}").status_code == 204
    assert client.delete(f"/customers/{slug}").status_code == 404


def test_a_customer_reaches_nobody_else(client: TestClient) -> None:
    one, other = slugs(2)
    for slug in (one, other):
        client.post("/customers", json={"slug": slug, "email": "ann@acme.example"})
    with client.app.state.customers.connect(one) as session:  # type: ignore[attr-defined]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"SELECT * FROM customer_{other}.users")


def test_what_is_no_name_is_refused(client: TestClient) -> None:
    for slug in ("x; DROP SCHEMA public", "Acme", "", "a" * 60):
        assert client.post("/customers", json={"slug": slug, "email": "a@b.example"}).status_code == 422

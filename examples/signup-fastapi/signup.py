"""A sign-up service: each customer gets a schema and a login of their own in PostgreSQL, and reaches nobody else's.

    TENANTRY_DATABASE_URL=postgresql://admin@localhost/app uvicorn signup:app

    curl -X POST localhost:8000/customers -H 'content-type: application/json' -d '{"slug": "acme", "email": "ann@acme.example"}'
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List

import psycopg
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

import tenantry

HERE = Path(__file__).parent


class SignUp(BaseModel):
    # What is in a schema's name is ours to say: nothing that a customer types is SQL.
    slug: str = Field(pattern="^[a-z][a-z0-9]{1,30}$")
    email: str = Field(max_length=200)


class Customer(BaseModel):
    slug: str
    schema_name: str


class Note(BaseModel):
    text: str = Field(max_length=10_000)


class Customers:
    """Who has signed up, and how the service connects as each."""

    def __init__(self, database_url: str, secrets: Path) -> None:
        # Credentials lie in files that only this service may read; with `vault=True` they are in Vault.
        self.admin = tenantry.DatabaseAdmin(database_url, migrations=HERE / "migrations", secrets=secrets)
        self.urls: Dict[str, str] = {}

    def sign_up(self, asked: SignUp) -> Customer:
        config = tenantry.TenantConfig(schema_name=f"customer_{asked.slug}", username=f"{asked.slug}_user")
        # All of it or nothing: the schema, the login, its rights and its tables are one transaction.
        credentials = self.admin.create_tenant(config)
        self.urls[asked.slug] = credentials.connection_string
        with psycopg.connect(credentials.connection_string) as session:
            session.execute("INSERT INTO users (email, administrator) VALUES (%s, true)", (asked.email,))
        return Customer(slug=asked.slug, schema_name=credentials.schema_name)

    def connect(self, slug: str) -> psycopg.Connection:
        """As this customer: whatever a query forgets, it cannot reach another one's rows."""
        url = self.urls.get(slug)
        if url is None:
            raise HTTPException(404, "no such customer")
        return psycopg.connect(url)

    def leave(self, slug: str) -> None:
        if self.urls.pop(slug, None) is None:
            raise HTTPException(404, "no such customer")
        self.admin.remove_tenant(f"customer_{slug}", f"{slug}_user")


def create_app(database_url: str, secrets: Path) -> FastAPI:
    app = FastAPI(title="Sign-up")
    customers = Customers(database_url, secrets)
    app.state.customers = customers

    # Not `async def`: FastAPI runs these in threads, and tenantry releases the GIL while it works.
    @app.post("/customers", status_code=201)
    def sign_up(asked: SignUp) -> Customer:
        try:
            return customers.sign_up(asked)
        except tenantry.SqlExecutionError as error:
            if error.sqlstate in ("42710", "42P06"):  # duplicate_object, duplicate_schema
                raise HTTPException(409, "this name is taken") from error
            raise

    @app.get("/customers")
    def everybody() -> List[str]:
        return [tenant.schema_name for tenant in customers.admin.list_tenants()]

    @app.delete("/customers/{slug}", status_code=204)
    def leave(slug: str) -> None:
        customers.leave(slug)

    @app.post("/customers/{slug}/notes", status_code=201)
    def write(slug: str, note: Note) -> Note:
        with customers.connect(slug) as session:
            session.execute("INSERT INTO notes (text) VALUES (%s)", (note.text,))
        return note

    @app.get("/customers/{slug}/notes")
    def read(slug: str) -> List[Note]:
        with customers.connect(slug) as session:
            return [Note(text=text) for (text,) in session.execute("SELECT text FROM notes ORDER BY id")]

    return app


def __getattr__(name: str) -> FastAPI:
    """`uvicorn signup:app` asks for it; a test makes its own."""
    if name == "app":
        return create_app(os.environ["TENANTRY_DATABASE_URL"], Path(os.environ.get("SECRETS_DIR", "secrets")))
    raise AttributeError(name)

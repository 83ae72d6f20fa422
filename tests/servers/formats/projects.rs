//! A small project of each tool's shape: notes, which get an index outside a transaction.

/// Its path in the migrations directory, and its text.
pub type File = (&'static str, &'static str);

pub struct Project {
    pub format: &'static str,
    pub first: &'static [File],
    pub history_of_first: &'static str,
    /// One that needs to run outside a transaction is among them.
    pub more: &'static [File],
    pub history_of_all: &'static str,
    /// Merged late: its version is below the last one's.
    pub late: File,
    /// What `validate` names.
    pub not_run: &'static [&'static str],
}

const INDEX: &str = "CREATE INDEX CONCURRENTLY notes_by_body ON notes (body);\n";

pub const SQLX: Project = Project {
    format: "sqlx",
    first: &[
        ("20240101120000_create_notes.up.sql", "CREATE TABLE notes (id bigserial PRIMARY KEY, body text NOT NULL);\n"),
        ("20240101120000_create_notes.down.sql", "DROP TABLE notes;\n"),
        ("20240103080000_tag-notes.sql", "ALTER TABLE notes ADD COLUMN tag text;\n"),
    ],
    history_of_first: "20240101120000, create_notes; 20240103080000, tag-notes",
    more: &[(
        "20240104080000_index.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY notes_by_body ON notes (body);\n",
    )],
    history_of_all: "20240101120000, create_notes; 20240103080000, tag-notes; 20240104080000, index",
    late: ("20240102000000_late.sql", "CREATE TABLE late (id int);\n"),
    not_run: &["20240101120000_create_notes.down.sql (a down migration)"],
};

const DIESEL: Project = Project {
    format: "diesel",
    first: &[
        (
            "00000000000000_diesel_initial_setup/up.sql",
            "CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger AS $$\nBEGIN\n    NEW.updated_at := current_timestamp;\n    \
             RETURN NEW;\nEND;\n$$ LANGUAGE plpgsql;\n",
        ),
        ("00000000000000_diesel_initial_setup/down.sql", "DROP FUNCTION IF EXISTS set_updated_at();\n"),
        (
            "2024-01-01-120000_create_notes/up.sql",
            "-- Your SQL goes here\nCREATE TABLE notes (id SERIAL PRIMARY KEY, body VARCHAR NOT NULL, updated_at timestamptz);\n\
             CREATE TRIGGER touched BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION set_updated_at();\n",
        ),
        ("2024-01-01-120000_create_notes/down.sql", "DROP TABLE notes;\n"),
        (".keep", ""),
    ],
    history_of_first: "0, diesel_initial_setup; 20240101120000, create_notes",
    more: &[
        ("2024-01-04-080000_index/up.sql", INDEX),
        ("2024-01-04-080000_index/down.sql", "DROP INDEX notes_by_body;\n"),
        ("2024-01-04-080000_index/metadata.toml", "run_in_transaction = false\n"),
    ],
    history_of_all: "0, diesel_initial_setup; 20240101120000, create_notes; 20240104080000, index",
    late: ("2023-12-31-235959_late/up.sql", "CREATE TABLE late (id int);\n"),
    not_run: &["2024-01-01-120000_create_notes/down.sql (a down migration)"],
};

const GOLANG_MIGRATE: Project = Project {
    format: "golang-migrate",
    first: &[
        (
            "000001_create_notes.up.sql",
            "BEGIN;\n\nCREATE TABLE notes (\n  id serial PRIMARY KEY,\n  body text NOT NULL\n);\n\nCOMMIT;\n",
        ),
        ("000001_create_notes.down.sql", "DROP TABLE IF EXISTS notes;\n"),
        ("000003_tag_notes.up.sql", "ALTER TABLE notes ADD COLUMN tag text;\n"),
        ("000003_tag_notes.down.sql", "ALTER TABLE notes DROP COLUMN tag;\n"),
    ],
    history_of_first: "1, create_notes; 3, tag_notes",
    more: &[("000004_index.up.sql", INDEX), ("000004_index.down.sql", "DROP INDEX notes_by_body;\n")],
    history_of_all: "1, create_notes; 3, tag_notes; 4, index",
    late: ("000002_late.up.sql", "CREATE TABLE late (id int);\n"),
    not_run: &["000003_tag_notes.down.sql (a down migration)"],
};

const DBMATE: Project = Project {
    format: "dbmate",
    first: &[
        (
            "20240101120000_create_notes.sql",
            "-- migrate:up\nCREATE TABLE notes (\n  id serial PRIMARY KEY,\n  body text NOT NULL\n);\n\n-- migrate:down\nDROP TABLE notes;\n",
        ),
        (
            "20240103080000_tag_notes.sql",
            "-- migrate:up\nALTER TABLE notes ADD COLUMN tag text;\n\n-- migrate:down\nALTER TABLE notes DROP COLUMN tag;\n",
        ),
        ("schema.sql", "CREATE TABLE wrong (id int);\n"),
    ],
    history_of_first: "20240101120000, create_notes; 20240103080000, tag_notes",
    more: &[(
        "20240104080000_index.sql",
        "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY notes_by_body ON notes (body);\n\n\
         -- migrate:down transaction:false\nDROP INDEX CONCURRENTLY notes_by_body;\n",
    )],
    history_of_all: "20240101120000, create_notes; 20240103080000, tag_notes; 20240104080000, index",
    late: (
        "20240102000000_late.sql",
        "-- migrate:up\nCREATE TABLE late (id int);\n\n-- migrate:down\nDROP TABLE late;\n",
    ),
    not_run: &["schema.sql (not named as a migration)"],
};

const FLYWAY: Project = Project {
    format: "flyway",
    first: &[
        ("V1__create_notes.sql", "CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL);\n"),
        ("V1.10__Tag notes.sql", "ALTER TABLE notes ADD COLUMN tag text DEFAULT 'none';\n"),
        ("V1.9__default_body.sql", "ALTER TABLE notes ADD COLUMN title text;\n"),
        ("U1__create_notes.sql", "DROP TABLE notes;\n"),
    ],
    history_of_first: "110000000000000000, create_notes; 111900000000000000, default_body; 112100000000000000, Tag notes",
    more: &[("V2__index.sql", INDEX), ("V2__index.sql.conf", "executeInTransaction=false\n")],
    history_of_all: "110000000000000000, create_notes; 111900000000000000, default_body; 112100000000000000, Tag notes; 120000000000000000, index",
    late: ("V1.5__late.sql", "CREATE TABLE late (id int);\n"),
    not_run: &["U1__create_notes.sql (an undo migration)"],
};

const PRISMA: Project = Project {
    format: "prisma",
    first: &[
        ("migration_lock.toml", "# Please do not edit this file manually\nprovider = \"postgresql\"\n"),
        (
            "20240101120000_create_notes/migration.sql",
            "-- CreateTable\nCREATE TABLE notes (\n    \"id\" SERIAL NOT NULL,\n    \"body\" TEXT NOT NULL,\n\n    \
             CONSTRAINT \"notes_pkey\" PRIMARY KEY (\"id\")\n);\n",
        ),
        ("20240103080000_tag_notes/migration.sql", "-- AlterTable\nALTER TABLE \"notes\" ADD COLUMN \"tag\" TEXT;\n"),
        ("README.md", "ours\n"),
    ],
    history_of_first: "20240101120000, create_notes; 20240103080000, tag_notes",
    more: &[("20240104080000_index/migration.sql", INDEX)],
    history_of_all: "20240101120000, create_notes; 20240103080000, tag_notes; 20240104080000, index",
    late: ("20240102000000_late/migration.sql", "CREATE TABLE late (id int);\n"),
    not_run: &["README.md"],
};

pub const ALL: [Project; 6] = [SQLX, DIESEL, GOLANG_MIGRATE, DBMATE, FLYWAY, PRISMA];

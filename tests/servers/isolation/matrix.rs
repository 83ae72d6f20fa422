//! `objects.md` and `server.md`, tried line by line.

use postgres::{Client, SimpleQueryMessage};

use crate::fleet::{BOTH, Fleet, ask};
use crate::postgres_server::{Version, binaries, database_on};
use tenantry::sandbox::Server;

/// In the order of the tables' columns.
const ACCESS: [&str; 4] = ["full", "owner", "readwrite", "readonly"];

/// Every kind of object there is.
const MIGRATION: &str = "
CREATE TABLE users (id int PRIMARY KEY, email text); INSERT INTO users VALUES (1, 'a');
CREATE TABLE parts (id int) PARTITION BY LIST (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE VIEW seen AS SELECT id, email FROM users;
CREATE MATERIALIZED VIEW summed AS SELECT count(*) FROM users;
CREATE SEQUENCE tickets; SELECT nextval('tickets');
CREATE TYPE mood AS ENUM ('calm', 'busy'); CREATE DOMAIN word AS text;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION counts() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::bigint';
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION evt() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
";

/// A tenant, and what it has that is in no schema.
struct Tenant {
    name: String,
    access: usize,
    large_object: String,
    /// Works at the attempts.
    client: Client,
    /// Is there to be looked at and ended.
    idle: Client,
    pid: String,
}

impl Tenant {
    fn new(fleet: &Fleet, name: &str, access: usize) -> Self {
        let (mut client, mut idle) = (fleet.log_in(name), fleet.log_in(name));
        let large_object = ask(&mut client, "SELECT lo_from_bytea(0, 'mine')");
        client.batch_execute(&format!("BEGIN; SELECT 1; PREPARE TRANSACTION 'gid_{name}'")).unwrap();
        let pid = ask(&mut idle, "SELECT pg_backend_pid()");
        Self { name: name.into(), access, large_object, client, idle, pid }
    }

    fn username(&self) -> String {
        format!("{}_user", self.name)
    }

    fn owner(&self) -> String {
        if ACCESS[self.access] == "owner" { self.username() } else { format!("{}_owner", self.name) }
    }
}

struct Line {
    what: &'static str,
    statement: &'static str,
    outcomes: Vec<&'static str>,
}

/// The rows of the one table in the file.
fn lines(file: &'static str) -> Vec<Line> {
    let rows = file.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let line = |row: &'static str| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let (what, statement) = (cells.next().unwrap(), cells.next().unwrap().trim_matches('`'));
        Line { what, statement, outcomes: cells.collect() }
    };
    rows.map(line).collect()
}

/// `42501, 17+ ok` is "ok" on 17.
fn expected(cell: &'static str, major: i32) -> &'static str {
    let mut outcomes = cell.split(", ");
    let first = outcomes.next().unwrap();
    outcomes.fold(first, |outcome, later| {
        let (from, other) = later.split_once("+ ").unwrap();
        if major >= from.parse().unwrap() { other } else { outcome }
    })
}

/// What comes of it; nothing stays of what worked.
fn outcome(client: &mut Client, statement: &str) -> String {
    let (outside, statement) = statement.strip_prefix("! ").map_or((false, statement), |rest| (true, rest));
    let (question, statement) = statement.strip_prefix("? ").map_or((false, statement), |rest| (true, rest));
    if !outside {
        client.batch_execute("BEGIN").unwrap();
    }
    let result = client.simple_query(statement);
    if !outside {
        client.batch_execute("ROLLBACK").unwrap();
    }
    match result {
        Err(error) => error.code().unwrap_or_else(|| panic!("{statement}: {error:?}")).code().to_owned(),
        Ok(messages) if question => {
            let yes = |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"));
            if messages.iter().any(yes) { "ok" } else { "no" }.into()
        }
        Ok(_) => "ok".into(),
    }
}

struct Matrix {
    fleet: Fleet,
    tenants: Vec<Tenant>,
    major: i32,
}

impl Matrix {
    /// Two tenants of each access, with two-phase commit and the extensions that look elsewhere.
    fn new(version: Version, name: &str) -> Self {
        let server = Server::builder()
            .binaries(binaries(version))
            .setting("max_connections", "100")
            .setting("max_prepared_transactions", "10")
            .setting("shared_preload_libraries", "pg_stat_statements")
            .start()
            .unwrap();
        // As long as the test binary: its guard ends it.
        let mut fleet = Fleet::on(database_on(server, name));
        fleet.head.push_str(
            "[database]\nshared_schemas = [\"extensions\"]\nextensions = [\"pg_trgm\", \"pg_stat_statements\", \"dblink\", \"postgres_fdw\"]\n\
             public_schema = \"revoke\"\n",
        );
        fleet.migration("V1__every_kind.sql", MIGRATION);
        let names = |side: &str| ACCESS.map(|access| (format!("{name}_{access}_{side}"), access));
        let all: Vec<_> = names("a").into_iter().chain(names("b")).collect();
        let declared = all.iter().map(|(name, access)| format!("{name} = {{ access = \"{access}\" }}\n"));
        fleet.declare(&declared.collect::<String>());
        fleet.execute("CREATE TABLE public.open (); GRANT ALL ON public.open TO PUBLIC");
        fleet.execute("CREATE DATABASE closed");
        fleet.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
        fleet.applies_and_settles();
        let tenants =
            all.iter().enumerate().map(|(n, (name, _))| Tenant::new(&fleet, name, n % ACCESS.len())).collect();
        let major = fleet.ask("SELECT current_setting('server_version_num')::int / 10000").parse().unwrap();
        Self { fleet, tenants, major }
    }

    fn filled_in(&self, statement: &str, me: usize, other: usize) -> String {
        let (me, other, server) = (&self.tenants[me], &self.tenants[other], &self.fleet.database.server);
        let database = &self.fleet.database.name;
        let (host, port) = ("127.0.0.1", server.port().to_string());
        [
            ("{s}", format!("tenant_{}", other.name)),
            ("{u}", other.username()),
            ("{o}", other.owner()),
            ("{me}", me.username()),
            ("{lo}", other.large_object.clone()),
            ("{pid}", other.pid.clone()),
            ("{gid}", format!("gid_{}", other.name)),
            ("{db}", database.clone()),
            ("{group}", format!("tenantry_{database}_tenants")),
            ("{owners}", format!("tenantry_{database}_owners")),
            ("{admin}", "postgres".into()),
            ("{closed}", "closed".into()),
            ("{host}", host.into()),
            ("{port}", port),
        ]
        .iter()
        .fold(statement.to_owned(), |statement, (name, value)| statement.replace(name, value))
    }

    /// Tries one line, and says what is not as it should be.
    fn tries(&mut self, line: &Line, me: usize, other: usize, cell: &'static str) -> Option<String> {
        let expected = expected(cell, self.major);
        if expected == "-" {
            return None;
        }
        let statement = self.filled_in(line.statement, me, other);
        let came = outcome(&mut self.tenants[me].client, &statement);
        let (me, other) = (&self.tenants[me].name, &self.tenants[other].name);
        (came != expected)
            .then(|| format!("{}: {me} on {other}'s: {came}, not {expected} ({}): {statement}", line.what, self.major))
    }

    /// Nothing of it all left a trace.
    fn leaves_no_trace(mut self) {
        for tenant in &mut self.tenants {
            assert_eq!(ask(&mut tenant.idle, "SELECT 1"), "1", "{}: its session was ended", tenant.name);
            let large = format!("SELECT encode(lo_get({}), 'escape')", tenant.large_object);
            assert_eq!(ask(&mut tenant.client, &large), "mine", "{}", tenant.name);
            tenant.client.batch_execute(&format!("ROLLBACK PREPARED 'gid_{}'", tenant.name)).unwrap();
        }
        self.fleet.settled();
    }
}

fn all_of(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} outcomes differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_access_does_with_its_own_what_it_says_and_with_anothers_nothing() {
    let lines = lines(include_str!("objects.md"));
    assert!(lines.len() > 90, "{}", lines.len());
    for version in BOTH {
        let mut matrix = Matrix::new(version, "isolated");
        let mut wrong = Vec::new();
        for me in 0..matrix.tenants.len() {
            for other in 0..matrix.tenants.len() {
                for line in &lines {
                    let own = line.outcomes[matrix.tenants[me].access];
                    let cell = if me == other { own } else { line.outcomes[ACCESS.len()] };
                    wrong.extend(matrix.tries(line, me, other, cell));
                }
            }
        }
        all_of(&wrong);
        matrix.leaves_no_trace();
    }
}

#[test]
fn no_access_reaches_the_server_or_the_database() {
    let lines = lines(include_str!("server.md"));
    assert!(lines.len() > 75, "{}", lines.len());
    for version in BOTH {
        let mut matrix = Matrix::new(version, "served");
        let mut wrong = Vec::new();
        for me in 0..ACCESS.len() {
            for line in &lines {
                wrong.extend(matrix.tries(line, me, me, line.outcomes[me]));
            }
        }
        all_of(&wrong);
        matrix.leaves_no_trace();
    }
}

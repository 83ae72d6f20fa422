//! Whether what was dumped comes back: it is restored, under the schema's own name, in a transaction that is rolled back.
//!
//! The schema steps aside in that transaction, which nobody else sees. What the dump holds is the tenant's, so it runs as
//! migrations do: inside a SECURITY DEFINER function, here of the deputy's, on a session that ends with it.

use std::path::Path;
use std::time::{Duration, Instant};

use postgres::{Client, Transaction};
use rand::RngExt;

use super::inserts::inserts;
use super::manifest::Proved;
use super::programs::Session;
use super::rows::{Data, Piece};
use super::script;
use super::source::Source;
use crate::core::model::{Access, ident, qualified};
use crate::engine::database::{Ask, DatabaseError, QUIET, take_back};
use crate::engine::error::{Context, Error, error_chain};

/// Rows are tried when all of them are no more than this, as COPY has them. Measured: docs/adr/0003-archives.md.
pub(super) const MOST: usize = 16 << 20;

/// What is waited for, with the tenant locked out; and how much longer, until it is ended from outside: code of the
/// tenant's can catch what a timeout raises.
const LIMIT: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(10);

const ATTEMPTS: u32 = 3;

/// What a try came to, and why it went no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub proved: Proved,
    pub because: Option<String>,
}

impl Proof {
    fn of_contents(because: impl Into<String>) -> Self {
        Self { proved: Proved::Contents, because: Some(because.into()) }
    }
}

/// What is tried.
pub(super) struct Tried<'a> {
    pub dump: &'a Path,
    pub data: &'a Data,
    /// In which the dump's text is.
    pub encoding: &'a str,
}

/// How a try ended, when not well.
enum Failed {
    /// In what is ours: it says nothing of the dump.
    Before(DatabaseError),
    Restoring(DatabaseError),
    /// Names in it are understood otherwise.
    Otherwise,
}

/// # Errors
/// Why the dump cannot be restored; or that our own session was lost.
pub(super) fn prove(source: &Source<'_>, tried: &Tried<'_>, session: Session<'_>) -> Result<Proof, Error> {
    let schema = &source.subject.schema;
    let section = |name| script::section(source.programs, tried.dump, schema, name);
    let (before, after) = (section("pre-data")?, section("post-data")?);
    let mut attempt = 0;
    loop {
        let mut client = match source.target.connect_admin() {
            Ok(client) => client,
            Err(error) => {
                return Ok(Proof::of_contents(format!("no connection was available: {}", error_chain(&error))));
            }
        };
        let result = watched(source, &mut client, session, |client| {
            Trial { source, tried, until: Instant::now() + LIMIT }.run(client, &before, &after)
        })?;
        let error = match result {
            None => {
                return Ok(Proof::of_contents(format!("restoring it took longer than {} seconds", LIMIT.as_secs())));
            }
            Some(Ok(proof)) => return Ok(proof),
            Some(Err(Failed::Otherwise)) => {
                return Ok(Proof::of_contents(
                    "once restored, some of its expressions refer to other functions or operators: of two with the same name, PostgreSQL's \
                     own and the tenant's",
                ));
            }
            Some(Err(Failed::Before(error))) if !error.is_retryable() => {
                return Ok(Proof::of_contents(format!("it could not be tried: {error}")));
            }
            Some(Err(Failed::Before(error) | Failed::Restoring(error))) => error,
        };
        let sqlstate = error.sqlstate().unwrap_or_default();
        if error.is_retryable() && attempt < ATTEMPTS {
            std::thread::sleep(Duration::from_millis(100 << attempt));
            attempt += 1;
        } else if error.is_retryable() || error.is_closed() || sqlstate.starts_with("53") || sqlstate.starts_with("57")
        {
            // Of the server's state, not of the dump.
            return Ok(Proof::of_contents(format!("it could not be tried: {error}")));
        } else {
            let detail = error.server().and_then(|server| server.detail.as_deref());
            let detail = detail.map(|detail| format!("; {}", detail.replace('\n', "; "))).unwrap_or_default();
            return Err(Error::refused(
                format!("an archive of {} could not be restored: {error}{detail}", source.subject.tenant),
                "fix that in the tenant's schema; or on_remove = \"retain\" keeps the schema, and \"drop\" drops it unarchived",
            ));
        }
    }
}

/// Runs it in a thread, and ends its session when it takes too long (`None`) or when our own is lost.
fn watched<T: Send>(
    source: &Source<'_>,
    client: &mut Client,
    session: Session<'_>,
    run: impl FnOnce(&mut Client) -> T + Send,
) -> Result<Option<T>, Error> {
    const ASK: Duration = Duration::from_secs(3);
    let doing = "restoring the dump as a trial";
    let backend: i32 = client.ask_one("SELECT pg_catalog.pg_backend_pid()", &[]).doing(doing)?.get(0);
    let end = || {
        let mut other = source.target.connect_admin().map_err(Error::from)?;
        other.execute("SELECT pg_catalog.pg_terminate_backend($1)", &[&backend]).doing(doing)
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(client));
        let (begun, mut asked, mut pause) = (Instant::now(), Instant::now(), Duration::from_millis(1));
        let mut ended = false;
        while !running.is_finished() {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
            if asked.elapsed() >= ASK {
                if let Err(error) = session() {
                    let _ = end();
                    return Err(error).doing(format!("{doing} was terminated, because our own session was"));
                }
                if begun.elapsed() > LIMIT + GRACE {
                    ended |= end().is_ok();
                }
                asked = Instant::now();
            }
        }
        match running.join() {
            Ok(result) if !ended => Ok(Some(result)),
            _ => Ok(None),
        }
    })
}

struct Trial<'a> {
    source: &'a Source<'a>,
    tried: &'a Tried<'a>,
    until: Instant,
}

impl Trial<'_> {
    fn run(&self, client: &mut Client, before: &[u8], after: &[u8]) -> Result<Proof, Failed> {
        let of_server = |error: postgres::Error| Failed::Before(error.into());
        let schema = &self.source.subject.schema;
        let aside = format!("tenantry_aside_{:016x}", rand::rng().random::<u64>());
        let mut transaction = client.transaction().map_err(of_server)?;
        transaction.batch_execute(&self.preamble()).map_err(of_server)?;
        if !self.has_room(&mut transaction).map_err(of_server)? {
            return Ok(Proof::of_contents("it has too many objects for one transaction: the lock table would fill up"));
        }
        let rows = self.rows(&mut transaction).map_err(of_server)?;
        transaction.batch_execute(&self.scene(&aside)).map_err(of_server)?;
        self.restore(&mut transaction, [before])?;
        fail_point!("while_dump_is_tried");
        if let Ok(pieces) = &rows {
            for piece in *pieces {
                match piece {
                    Piece::Sql(sql) => self.restore(&mut transaction, [sql]),
                    Piece::Rows { into, lines } => self.restore(&mut transaction, inserts(into, lines)),
                }?;
            }
        }
        self.restore(&mut transaction, [after])?;
        let bound = |transaction: &mut Transaction<'_>, schema: &str| -> Result<i64, postgres::Error> {
            Ok(transaction.ask_one(include_str!("sql/bindings.sql"), &[&schema])?.get(0))
        };
        let is = bound(&mut transaction, schema).map_err(of_server)?;
        let was = bound(&mut transaction, &aside).map_err(of_server)?;
        transaction.rollback().map_err(of_server)?;
        match rows {
            _ if is != was => Err(Failed::Otherwise),
            Ok(_) => Ok(Proof { proved: Proved::Rows, because: None }),
            Err(because) => Ok(Proof { proved: Proved::Structure, because: Some(because) }),
        }
    }

    /// What of rows is tried, or why none are.
    fn rows(&self, transaction: &mut Transaction<'_>) -> Result<Result<&[Piece], String>, postgres::Error> {
        let Some(pieces) = &self.tried.data.kept else {
            return Ok(Err(format!("its rows exceed {} MB", MOST >> 20)));
        };
        if self.source.server.admin.superuser {
            return Ok(Ok(pieces));
        }
        let logs = "SELECT pg_catalog.current_setting('log_parameter_max_length') <> '0' \
                    AND (pg_catalog.current_setting('log_statement') = 'all' \
                         OR pg_catalog.current_setting('log_min_duration_statement') <> '-1' \
                         OR pg_catalog.current_setting('log_min_duration_sample') <> '-1')";
        let is_logged: bool = transaction.ask_one(logs, &[])?.get(0);
        Ok(if is_logged { Err("its rows would end up in the server's log".into()) } else { Ok(pieces) })
    }

    /// Limits what is waited for, and keeps rows out of the server's log where we may.
    fn preamble(&self) -> String {
        let left = self.until.saturating_duration_since(Instant::now()).as_millis().max(1);
        let waits = self.source.desired.limits_waits();
        let quiet = if self.source.server.admin.superuser {
            format!("{QUIET};\nSET LOCAL log_min_messages = panic;\n")
        } else {
            String::new()
        };
        format!("{quiet}{waits}; SET LOCAL statement_timeout = {left}")
    }

    /// Locks serve everybody, so as for a drop half of them is too much. Measured on 15, for 400 tables with an identity, a unique
    /// column and a CHECK: 1.5 for each relation of the schema, TOAST tables and their indexes included.
    fn has_room(&self, transaction: &mut Transaction<'_>) -> Result<bool, postgres::Error> {
        let relations: i64 = transaction
            .ask_one(
                "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1::text::name",
                &[&self.source.subject.schema],
            )?
            .get(0);
        Ok(3 * relations < self.source.server.lock_slots)
    }

    /// An empty schema in the place of the tenant's, as a restore makes it, and a deputy that no longer sees rows that policies hide.
    fn scene(&self, aside: &str) -> String {
        let subject = self.source.subject;
        let (schema, owner, deputy) = (ident(&subject.schema), ident(&subject.owner), self.deputy());
        let roles = subject.roles().iter().map(|role| ident(role)).collect::<Vec<_>>().join(", ");
        let mut sql = vec![
            format!("ALTER SCHEMA {schema} RENAME TO {aside}"),
            format!("CREATE SCHEMA {schema} AUTHORIZATION {owner}"),
        ];
        if self.source.server.admin.superuser {
            sql.push(format!("ALTER ROLE {deputy} NOBYPASSRLS"));
        }
        if subject.access != Access::Owner {
            sql.push(format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {}", ident(&subject.username)));
        }
        for what in ["TABLES", "SEQUENCES"] {
            sql.push(format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {deputy} IN SCHEMA {schema} GRANT SELECT ON {what} TO {roles}"
            ));
        }
        sql.join(";\n")
    }

    fn deputy(&self) -> String {
        ident(&self.source.deputy.name)
    }

    /// Each in a function of its own: the code inside can ALTER the one that it runs in.
    fn restore(
        &self,
        transaction: &mut Transaction<'_>,
        scripts: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<(), Failed> {
        let of_server = |error: postgres::Error| Failed::Before(error.into());
        let path = self.source.desired.search_path(&self.source.subject.schema);
        for script in scripts {
            let name = format!("tenantry_t{:032x}", rand::rng().random::<u128>());
            let function = qualified(&self.source.subject.schema, &name);
            let create = format!(
                "SET LOCAL ROLE {}; CREATE FUNCTION {function}(pg_catalog.bytea) RETURNS pg_catalog.void LANGUAGE plpgsql \
                 SECURITY DEFINER SET search_path = {path} AS \
                 $$BEGIN EXECUTE pg_catalog.convert_from($1, '{}'); END$$",
                self.deputy(),
                self.tried.encoding
            );
            transaction.batch_execute(&create).map_err(of_server)?;
            let run = transaction.execute(&format!("SELECT {function}($1)"), &[&script.as_ref()]);
            run.map_err(|error| Failed::Restoring(error.into()))?;
            take_back(transaction, &self.preamble()).map_err(Failed::Before)?;
        }
        Ok(())
    }
}

//! One tenant's probes, in its own session.

use std::collections::BTreeSet;
use std::time::Duration;

use postgres::{Client, Transaction};
use rand::RngExt;

use super::access;
use super::answer::{Tried, Wanted, rule};
use super::context::Verify;
use super::held;
use super::neighbours::neighbours;
use super::probe::{self, Picked, Probe};
use super::suspended;
use super::users;
use crate::core::model::{Access, Tenant, qualified};
use crate::core::verdict::{Answer, Check, Ruling, Verdict};
use crate::engine::database::{Ask, DatabaseError, HARDLY_WAIT, giving_way};
use crate::engine::login::{NO_OTHER_LIMITS, NoLogin, WHATEVER_IT_HOLDS};

/// A tenant may lock its tables, and put code that sleeps on their triggers. Said again before each probe: that code may
/// also SET these for the rest of the transaction.
const LIMITS: &str = "SET LOCAL statement_timeout = '30s'";

/// How long somebody who has a table locked is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whatever the defaults of the role and the database are.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE";

pub(super) fn tenant(verify: &Verify<'_>, tenant: &Tenant, schemas: &[String]) -> Verdict {
    let mut probes = Probes { verify, tenant, checks: Vec::new(), other_databases: Vec::new() };
    if tenant.suspended {
        let login = probes.connect().map(drop);
        probes.checks.extend(suspended::checks(tenant, &verify.logins.observed.roles, login));
    } else if let Some(mut client) = probes.log_in()
        && let Err(error) = probes.in_a_transaction(&mut client, schemas)
    {
        let detail = format!("the session ended early: {error}");
        let mut check = Check::new("everything else", Ruling::Open, Some(detail));
        check.answer = Some(Answer::NotTried);
        check.sqlstate = error.sqlstate().map(str::to_owned);
        probes.checks.push(check);
    }
    let Probes { mut checks, other_databases, .. } = probes;
    checks.extend(users::checks(verify, tenant));
    checks.extend(access::checks(verify, tenant));
    let tried = checks.iter().all(|check| check.ruling != Ruling::Open);
    Verdict { tenant: tenant.key.clone(), ok: checks.iter().all(|check| check.ok), tried, checks, other_databases }
}

struct Probes<'a> {
    verify: &'a Verify<'a>,
    tenant: &'a Tenant,
    checks: Vec<Check>,
    other_databases: Vec<String>,
}

impl Probes<'_> {
    fn log_in(&mut self) -> Option<Client> {
        let what = "log in with the delivered secret";
        match self.connect() {
            Ok(client) => {
                self.checks.push(Check::new(what, Ruling::Right, None));
                Some(client)
            }
            Err(NoLogin { faulty, sqlstate, message }) => {
                let ruling = if faulty { Ruling::Wrong } else { Ruling::Open };
                let answer = if faulty { Answer::RefusedOtherwise } else { Answer::NotTried };
                let check = Check::new(what, ruling, Some(message));
                self.checks.push(Check { answer: Some(answer), sqlstate, ..check });
                None
            }
        }
    }

    fn connect(&self) -> Result<Client, NoLogin> {
        Ok(self.verify.logins.of(self.tenant)?.target.connect()?)
    }

    /// As the application would, but writing whatever `default_transaction_read_only` says: who may SET that is not kept from
    /// anything by it. Rolled back.
    fn in_a_transaction(&mut self, client: &mut Client, schemas: &[String]) -> Result<(), DatabaseError> {
        // In one message, since a role may allow its transactions no idle moment; and SET LOCAL, since behind a pooler the
        // session is used by others afterwards. The driver's own BEGIN is a warning then.
        client.batch_execute(&format!("{BEGIN}; {LIMITS}; {HARDLY_WAIT}; {NO_OTHER_LIMITS}; {WHATEVER_IT_HOLDS}"))?;
        let mut transaction = client.transaction()?;
        self.lands_in_its_schema(&mut transaction)?;
        let mut asking = transaction.transaction()?;
        // Its own search_path may lead to operators and functions of its own: what they say is not an answer.
        asking.batch_execute("SET LOCAL search_path = pg_catalog, pg_temp")?;
        let (probes, privileges) = self.ask(&mut asking, schemas)?;
        asking.rollback()?;
        self.try_all(&mut transaction, &probes, &privileges)?;
        Ok(transaction.rollback()?)
    }

    fn lands_in_its_schema(&mut self, transaction: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let row = transaction.ask_one(
            "SELECT current_user::pg_catalog.text, coalesce(pg_catalog.current_schema()::pg_catalog.text, '')",
            &[],
        )?;
        let (user, schema): (String, String) = (row.get(0), row.get(1));
        let right = user == self.tenant.username && schema == self.tenant.schema;
        let result = if right { Ok(()) } else { Err(format!("it connects as {user:?} in schema {schema:?}")) };
        self.checks.push(Check::asked("start in its own schema", result));
        Ok(())
    }

    /// Everything that the catalogs are asked, in a number of queries that does not depend on the number of tenants. Gives the
    /// probes to try, and of each whether the tenant has the privilege.
    fn ask(
        &mut self,
        asking: &mut Transaction<'_>,
        schemas: &[String],
    ) -> Result<(Vec<Probe>, Vec<Option<bool>>), DatabaseError> {
        self.holds_what_its_access_says(asking)?;
        self.constraints_are_checked(asking)?;
        let others: Vec<&str> = schemas.iter().map(String::as_str).filter(|s| *s != self.tenant.schema).collect();
        self.reaches_no_other(asking, &others)?;
        self.is_no_other(asking)?;
        self.large_objects_are_kept(asking)?;
        let rows = asking.ask(
            "SELECT datname::text FROM pg_database WHERE datallowconn AND datname <> current_database() \
             AND has_database_privilege(oid, 'CONNECT') ORDER BY datname",
            &[],
        )?;
        self.other_databases = rows.iter().map(|row| row.get(0)).collect();
        let probes = self.probes(asking, schemas)?;
        let questions: Vec<&str> = probes.iter().map(|probe| probe.privilege.as_str()).collect();
        let row = asking.ask_one(&format!("SELECT {}", questions.join(", ")), &[])?;
        let privileges = (0..probes.len()).map(|n| row.get(n)).collect();
        Ok((probes, privileges))
    }

    /// Of every object that the migrations made.
    fn holds_what_its_access_says(&mut self, asking: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let history = &self.verify.logins.desired.migrations.table;
        let owner = self.tenant.owner();
        let rows = asking.ask(include_str!("sql/held.sql"), &[&self.tenant.schema, &owner, history])?;
        let groups: Vec<held::Group> = rows.iter().map(held::Group::from).collect();
        let faults = held::faults(self.tenant, self.verify.logins.observed.server.major(), &groups);
        let result = |faults: &[String]| if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) };
        if self.tenant.access != Access::Owner {
            let access = self.tenant.access.as_str();
            self.checks.push(Check::asked(format!("has the privileges of access {access:?}"), result(&faults.lacks)));
            let mut check = Check::asked("has no others on them", result(&faults.beyond));
            // What was added by hand stays, and was asked for.
            if faults.additive && !check.ok {
                check = Check::new(check.what, Ruling::Said, check.detail);
            }
            self.checks.push(check);
        }
        self.checks.push(Check::asked("privileges of its owner", result(&faults.owner_lacks)));
        Ok(())
    }

    fn constraints_are_checked(&mut self, asking: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let rows = asking.ask(include_str!("sql/unchecked.sql"), &[&self.tenant.schema])?;
        let unchecked: Vec<String> = rows
            .iter()
            .map(|row| format!("{} of {}", row.get::<_, &str>("name"), row.get::<_, &str>("relation")))
            .collect();
        let mut faults = Vec::new();
        if !unchecked.is_empty() {
            faults.push(format!("somebody disabled the triggers of {}", unchecked.join(", ")));
        }
        let row = asking.ask_one("SELECT current_setting('session_replication_role') = 'replica'", &[])?;
        if row.get(0) {
            faults.push(
                "session_replication_role is replica: its foreign keys are not checked; as a superuser: RESET it where the \
                 role or the database sets it (\\drds)"
                    .to_owned(),
            );
        }
        let result = if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) };
        self.checks.push(Check::asked("enforcement of its constraints", result));
        Ok(())
    }

    /// Every other tenant's schema in one query.
    fn reaches_no_other(&mut self, asking: &mut Transaction<'_>, others: &[&str]) -> Result<(), DatabaseError> {
        let rows = asking.ask(
            "SELECT nspname::text FROM pg_namespace WHERE nspname = ANY ($1::text[]::name[]) AND \
             (has_schema_privilege(oid, 'USAGE') OR has_schema_privilege(oid, 'CREATE') \
             OR has_schema_privilege(session_user, oid, 'USAGE') OR has_schema_privilege(session_user, oid, 'CREATE')) ORDER BY nspname",
            &[&others],
        )?;
        let open: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let result = if open.is_empty() { Ok(()) } else { Err(format!("it may use {}", open.join(", "))) };
        self.checks.push(Check::asked(format!("no privilege on the {} other tenants' schemas", others.len()), result));
        Ok(())
    }

    /// A member that does not inherit still may SET ROLE.
    fn is_no_other(&mut self, asking: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let tenant = self.tenant;
        let others = self.verify.logins.desired.tenants.values().filter(|other| other.key != tenant.key);
        let all = others.flat_map(|other| {
            [other.username.clone(), other.owner_role.clone()].into_iter().chain(other.login_users())
        });
        let others: BTreeSet<String> = all.filter(|role| *role != tenant.owner_role).collect();
        let others: Vec<String> = others.into_iter().collect();
        let rows = asking.ask(
            "SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1::text[]::name[]) \
             AND (pg_has_role(oid, 'MEMBER') OR pg_has_role(session_user, oid, 'MEMBER')) ORDER BY rolname",
            &[&others],
        )?;
        let in_them: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let result = if in_them.is_empty() { Ok(()) } else { Err(format!("it is a member of {}", in_them.join(", "))) };
        self.checks.push(Check::asked("member of no other tenant's role", result));
        Ok(())
    }

    /// A superuser's setting, for the server, the database or the role, that opens every large object to everybody.
    fn large_objects_are_kept(&mut self, asking: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let row = asking.ask_one("SELECT current_setting('lo_compat_privileges') = 'on'", &[])?;
        let open = "lo_compat_privileges is on: it reads, writes and drops everybody's; as a superuser: ALTER SYSTEM SET \
                    lo_compat_privileges = off, and RESET where the database or the role sets it";
        let result = if row.get(0) { Err(open.to_owned()) } else { Ok(()) };
        self.checks.push(Check::asked("privilege checks of large objects", result));
        Ok(())
    }

    /// In the order they are tried.
    fn probes(&self, asking: &mut Transaction<'_>, schemas: &[String]) -> Result<Vec<Probe>, DatabaseError> {
        let (tenant, observed) = (self.tenant, self.verify.logins.observed);
        let history = &self.verify.logins.desired.migrations.table;
        let mut probes = probe::life_of_a_table(tenant, &unused(&tenant.schema));
        let rows = asking.ask(include_str!("sql/one_of_each.sql"), &[&tenant.schema, &tenant.owner(), history])?;
        for row in &rows {
            let [kind, name] = ["kind", "name"].map(|column| row.get(column));
            let picked = Picked { kind, name, oid: row.get("oid"), rules: row.get("rules"), column: row.get("column") };
            probes.extend(probe::rows(tenant, &picked));
        }
        if tenant.access != Access::Readonly {
            let rows = asking.ask(include_str!("sql/published.sql"), &[&tenant.schema, &tenant.owner(), history])?;
            for row in &rows {
                let column: Option<String> = row.get("column");
                probes.extend(probe::published(tenant, row.get("name"), row.get("oid"), column.as_deref()));
            }
        }
        if tenant.access != Access::Owner && self.has_history() {
            probes.push(probe::history(tenant, history));
        }
        for schema in neighbours(schemas, &tenant.schema) {
            probes.extend(probe::neighbour(schema, &unused(schema)));
        }
        let (name, major) = (unused_name(), observed.server.major());
        probes.extend(probe::cluster(&name, &observed.server.admin.name, major));
        if tenant.access != Access::Owner {
            probes.push(probe::owner_role(&tenant.owner_role, major));
        }
        let kept = self.verify.public_is_kept();
        if !kept {
            if observed.database.public_schema.is_some() {
                probes.push(probe::create_in("create in schema public", "public", &unused("public")));
                if !self.verify.logins.desired.shared_schemas.iter().any(|schema| schema == "public") {
                    probes.push(probe::use_public(&name));
                }
            }
            // An owner runs its migrations, which may make them.
            if tenant.access != Access::Owner {
                probes.push(probe::temporary_table(&name));
            }
        }
        // What one tenant made there would be on the search_path of all.
        for schema in observed.database.shared_schemas.keys().filter(|schema| *schema != "public" || !kept) {
            probes.push(probe::create_in(&format!("create in shared schema {schema}"), schema, &unused(schema)));
        }
        Ok(probes)
    }

    /// A tenant of no migrations has none.
    fn has_history(&self) -> bool {
        let found = self.verify.logins.observed.schemas.get(&self.tenant.schema);
        found.is_some_and(|schema| !matches!(schema.history, crate::core::model::History::Absent))
    }

    fn try_all(
        &mut self,
        transaction: &mut Transaction<'_>,
        probes: &[Probe],
        privileges: &[Option<bool>],
    ) -> Result<(), DatabaseError> {
        let mut made = true;
        for (probe, privilege) in probes.iter().zip(privileges) {
            // Nothing can be written to a table that was not made, and that it was not is said once.
            if !made && probe.object.is_none() && probe.wanted == Wanted::Allowed {
                continue;
            }
            let tried = attempt(transaction, probe)?;
            made &= probe.wanted == Wanted::Refused || probe.object.is_some() || tried.answer == Answer::Allowed;
            let (ruling, detail) = rule(probe.wanted, &tried, *privilege, probe.rewritten);
            let check = Check::new(&probe.what, ruling, detail);
            let object = probe.object.clone();
            self.checks.push(Check { answer: Some(tried.answer), object, sqlstate: tried.sqlstate, ..check });
        }
        Ok(())
    }
}

fn attempt(transaction: &mut Transaction<'_>, probe: &Probe) -> Result<Tried, DatabaseError> {
    let is_in_the_way = |tried: &Result<Tried, DatabaseError>| {
        tried.as_ref().is_ok_and(|tried| tried.sqlstate.as_deref() == Some("55P03"))
    };
    giving_way(PATIENCE, is_in_the_way, || once(transaction, probe))
}

/// In a savepoint. What was made stays for the next probe, unless it should have been refused; what was there already is let
/// go, so that no other probe waits while its locks are held.
fn once(transaction: &mut Transaction<'_>, probe: &Probe) -> Result<Tried, DatabaseError> {
    let mut savepoint = transaction.transaction()?;
    let tried = match savepoint.batch_execute(&format!("{LIMITS}; {HARDLY_WAIT}; {}", probe.sql)) {
        Ok(()) if probe.wanted == Wanted::Allowed && probe.object.is_none() => {
            savepoint.commit()?;
            return Ok(Tried::allowed());
        }
        Ok(()) => Tried::allowed(),
        Err(error) => Tried::refused(error)?,
    };
    savepoint.rollback()?;
    Ok(tried)
}

fn unused_name() -> String {
    format!("tenantry_probe_{:08x}", rand::rng().random::<u32>())
}

/// A table that is not there.
fn unused(schema: &str) -> String {
    qualified(schema, &unused_name())
}

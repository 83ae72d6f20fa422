//! A tenant made from its archive instead of its first migrations.
//!
//! pg_restore has a session of its own, so this cannot be one transaction. Until the data are in, the registry says
//! "restoring": nobody can log in, and a run that is cut off is started over by the next. After that the tenant is like one
//! whose secret and grants are missing, and a plan and an apply as always give it those.

use std::collections::BTreeMap;

use postgres::{Client, Transaction};

use super::context::Apply;
use super::{batches, secret, shared, watch};
use crate::core::model::{Access, Observed, State, Tenant, ident, qualified};
use crate::core::plan::{self, Plan};
use crate::engine::archive::{self, Deputy, Errand, Opened, Programs, relations};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};
use crate::engine::registry;

/// What putting one archive back takes.
pub struct Restore<'a> {
    pub apply: &'a Apply<'a>,
    pub observed: &'a Observed,
    pub programs: &'a Programs,
    pub opened: &'a Opened,
    pub tenant: &'a Tenant,
}

impl Restore<'_> {
    /// Roles, schema and data, and what tenants share, as `plan` has it. What is left to do after it a new plan says.
    ///
    /// # Errors
    /// What PostgreSQL or pg_restore answered; then nothing of the tenant is left, unless the error says so.
    pub fn run(&self, client: &mut Client, plan: &Plan) -> Result<(), Error> {
        shared::before(client, self.apply, plan, true)?;
        watch::alone(self.apply, (self.key(), "restore"), client, |client| self.data(client))
    }

    /// Its roles, its schema and what is in it.
    fn data(&self, client: &mut Client) -> Result<(), Error> {
        self.clear(client)?;
        archive::refuse_large_objects(client, self.opened, &plan::group_role(self.apply.target.database()))?;
        self.make(client)?;
        self.fill(client).map_err(|error| match self.clear(client) {
            Ok(()) => error,
            Err(also) => {
                let said = crate::engine::error::error_chain(&error);
                let message = format!(
                    "{said}; undoing what was created failed too: {}",
                    crate::engine::error::error_chain(&also)
                );
                Error::refused(message, "run restore again: what is incomplete is dropped first")
            }
        })
    }

    fn key(&self) -> &str {
        self.tenant.key.as_str()
    }

    /// The roles that own, as the tenant's plan will have them.
    fn roles(&self) -> Vec<String> {
        self.tenant.subject().roles()
    }

    fn begin<'c>(&self, client: &'c mut Client) -> Result<Transaction<'c>, postgres::Error> {
        let mut transaction = client.transaction()?;
        transaction.batch_execute(&self.preamble())?;
        Ok(transaction)
    }

    fn preamble(&self) -> String {
        let begin = [self.apply.desired.limits_waits(), registry::guard::check()];
        begin.into_iter().chain(self.apply.lock.check_that_nobody_took_it()).collect::<Vec<_>>().join("; ")
    }

    /// The SQL that takes the rights of the tenant's roles, and that gives them back; empty for a superuser.
    fn rights(&self) -> [String; 2] {
        plan::borrowed(self.observed, &self.roles())
    }

    /// Roles that nobody can log in as, an empty schema, and the registry's row that says how far it got.
    fn make(&self, client: &mut Client) -> Result<(), Error> {
        let doing = "creating the roles and the schema";
        let tenant = self.tenant;
        let group = ident(&plan::group_role(self.apply.target.database()));
        let [take, give] = self.rights();
        let mut transaction = self.begin(client).doing(doing)?;
        for role in self.roles() {
            let exists = "SELECT FROM pg_catalog.pg_roles WHERE rolname = $1::text::name";
            // An owner that several tenants share was made with what they share.
            if transaction.ask_opt(exists, &[&role]).doing(doing)?.is_none() {
                let sql = format!("CREATE ROLE {0} NOLOGIN; GRANT {group} TO {0}", ident(&role));
                transaction.batch_execute(&sql).doing(doing)?;
            }
        }
        transaction.batch_execute(&take).doing(doing)?;
        let (schema, owner) = (ident(&tenant.schema), ident(tenant.owner()));
        transaction.batch_execute(&format!("CREATE SCHEMA {schema} AUTHORIZATION {owner}")).doing(doing)?;
        if tenant.access != Access::Owner {
            // What it made itself it gets back, whatever it may make from now on.
            let sql = format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {}", ident(&tenant.username));
            transaction.batch_execute(&sql).doing(doing)?;
        }
        transaction.batch_execute(&give).doing(doing)?;
        let fields = self.apply.desired.secret_fields(tenant, self.apply.server, self.apply.target.database(), None);
        let row = registry::Row {
            tenant: &tenant.key,
            schema: &tenant.schema,
            username: &tenant.username,
            owner: tenant.owner(),
            access: tenant.access,
            state: State::Restoring,
            on_remove: tenant.on_remove,
            protected: tenant.protected,
            // Nobody logs in before it is restored anyway.
            suspended: false,
            password_source: tenant.password_source(),
            secret: &secret::registered(self.apply, tenant, &fields, None),
            password_changed: false,
            history_table: &self.apply.desired.migrations.table,
        };
        registry::upsert(&mut transaction, &row).doing(doing)?;
        transaction.commit().doing(doing)?;
        fail_point!("after_restore_is_begun");
        Ok(())
    }

    fn fill(&self, client: &mut Client) -> Result<(), Error> {
        let Apply { target, server, .. } = self.apply;
        let deputy = Deputy::appoint(
            client,
            target,
            server,
            &self.tenant.key,
            &self.roles(),
            Errand::Restore,
            &self.preamble(),
        )?;
        self.apply.underway.deputy(self.key(), &deputy.name);
        deputy.looks_in(client, &self.apply.desired.search_path(&self.tenant.schema))?;
        self.open_to_each_other(client, &deputy)?;
        let session: archive::Session<'_> = &mut || client.batch_execute("");
        archive::fill(&deputy, (self.programs, server), self.opened, self.tenant, session)?;
        if self.opened.has_large_objects() {
            deputy.renew(client)?;
            archive::fill_large_objects(&deputy, server, self.opened, self.tenant)?;
        }
        self.close_to_each_other(client)?;
        let doing = "handing over what was restored";
        let [take, give] = self.rights();
        let mut transaction = self.begin(client).doing(doing)?;
        transaction.batch_execute(&take).doing(doing)?;
        // Every object of a dump has an owner; code that ran on the way may have left some without.
        let (from, to) = (ident(&deputy.name), ident(self.tenant.owner()));
        transaction.batch_execute(&format!("REASSIGN OWNED BY {from} TO {to}")).doing(doing)?;
        deputy.drop_in(&mut transaction).doing(doing)?;
        self.open_history(&mut transaction).doing(doing)?;
        transaction.batch_execute(&give).doing(doing)?;
        registry::set_state(&mut transaction, &self.tenant.key, State::Active).doing(doing)?;
        let dump = &self.opened.manifest.dump;
        let changes = serde_json::json!([{
            "kind": "restore", "what": format!("schema {}", self.tenant.schema), "after": dump.file, "sha256": dump.sha256,
        }]);
        registry::append_audit(&mut transaction, self.key(), "restore", &changes).doing(doing)?;
        fail_point!("before_restored_is_active");
        transaction.commit().doing(doing)?;
        fail_point!("after_restored_is_active");
        Ok(())
    }

    /// A materialized view is filled as its owner, who reads tables that may be the other role's. The deputy makes all of
    /// them, and [`Self::close_to_each_other`] takes back what it grants by default.
    fn open_to_each_other(&self, client: &mut Client, deputy: &Deputy) -> Result<(), Error> {
        let doing = "letting the tenant's roles read what the deputy creates";
        let to = self.roles().iter().map(|role| ident(role)).collect::<Vec<_>>().join(", ");
        let (role, schema) = (ident(&deputy.name), ident(&self.tenant.schema));
        let default =
            |what: &str| format!("ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} GRANT {what} TO {to}");
        let [take, give] = self.rights();
        let sql = [take, default("SELECT ON TABLES"), default("SELECT ON SEQUENCES"), give];
        let mut transaction = self.begin(client).doing(doing)?;
        transaction.batch_execute(&sql.join(";")).doing(doing)?;
        transaction.commit().doing(doing)
    }

    /// Privileges are not restored, so whatever the tenant's roles may read of each other by now, the deputy granted. The plan
    /// that follows grants what is declared. In pieces, since from 18 on each may take a lock.
    fn close_to_each_other(&self, client: &mut Client) -> Result<(), Error> {
        let doing = "revoking what the tenant's roles could read in the meantime";
        let [take, give] = self.rights();
        let locks = self.apply.server.locks_of_a_batch();
        let mut last = 0_u32;
        loop {
            let mut transaction = self.begin(client).doing(doing)?;
            transaction.batch_execute(&take).doing(doing)?;
            let opened = transaction.ask(OPENED, &[&self.tenant.schema, &self.roles(), &last, &locks]).doing(doing)?;
            let mut by_grantees: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            for row in &opened {
                by_grantees.entry(row.get("grantees")).or_default().push(row.get("oid"));
            }
            for (grantees, oids) in by_grantees {
                let revoke = format!("REVOKE SELECT ON % FROM {grantees}");
                relations::at_once(&mut transaction, &oids, &revoke, "").doing(doing)?;
            }
            transaction.batch_execute(&give).doing(doing)?;
            transaction.commit().doing(doing)?;
            match opened.last() {
                Some(row) => last = row.get("oid"),
                None => return Ok(()),
            }
        }
    }

    /// The plan that follows reads the history, and an admin who is not a superuser does so by a grant.
    fn open_history(&self, transaction: &mut Transaction<'_>) -> Result<(), postgres::Error> {
        let admin = &self.apply.server.admin;
        if admin.superuser {
            return Ok(());
        }
        let (schema, admin) = (&self.tenant.schema, ident(&admin.name));
        transaction.batch_execute(&format!("GRANT USAGE ON SCHEMA {} TO {admin}", ident(schema)))?;
        let history = qualified(schema, &self.apply.desired.migrations.table);
        let exists: bool = transaction.ask_one("SELECT pg_catalog.to_regclass($1) IS NOT NULL", &[&history])?.get(0);
        if exists { transaction.batch_execute(&format!("GRANT SELECT ON {history} TO {admin}")) } else { Ok(()) }
    }

    /// Drops what a restore of this tenant left, by the registry's word: nothing when there was none.
    fn clear(&self, client: &mut Client) -> Result<(), Error> {
        let doing = "dropping what was restored so far";
        let tenant = self.tenant;
        let names = [tenant.schema.as_str(), tenant.username.as_str(), tenant.owner()];
        let unfinished = registry::unfinished_restore(client, &tenant.key, names).doing(doing)?;
        let Some(unfinished) = unfinished else { return Ok(()) };
        if unfinished.is_another {
            return Err(Error::refused(
                format!("schema {:?} is not the one that was being restored", tenant.schema),
                "that one was dropped and this one created since; move it out of the way, or drop it, and run restore again",
            ));
        }
        if let Some(deputy) = unfinished.deputy {
            archive::dismiss(client, self.apply.server, &tenant.key, &deputy, &self.preamble())?;
        }
        let mut roles = self.roles();
        if plan::is_shared_owner(self.apply.desired, self.observed, &tenant.owner_role, &tenant.key) {
            roles.retain(|role| *role != tenant.owner_role);
        }
        while self.drop_piece(client, &roles).doing(doing)? {}
        let [take, _] = self.rights();
        let mut transaction = self.begin(client).doing(doing)?;
        transaction.batch_execute(&take).doing(doing)?;
        let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", ident(&tenant.schema));
        transaction.batch_execute(&drop).doing(doing)?;
        for sql in roles.iter().flat_map(|role| plan::drop_role(role)) {
            transaction.batch_execute(&sql).doing(doing)?;
        }
        registry::forget_restore(&mut transaction, &tenant.key).doing(doing)?;
        transaction.commit().doing(doing)
    }

    /// What would not fit the lock table goes before the rest; nothing of it is not in the archive. Whether there is more.
    fn drop_piece(&self, client: &mut Client, roles: &[String]) -> Result<bool, postgres::Error> {
        let [take, give] = self.rights();
        let locks = self.apply.server.locks_of_a_batch();
        let mut transaction = self.begin(client)?;
        transaction.batch_execute(&take)?;
        let more = batches::unlink(&mut transaction, roles, locks)? || {
            let at_once = (locks / LOCKS_OF_A_TABLE).max(1);
            let some = batches::some_tables(&mut transaction, &self.tenant.schema, at_once, None)?;
            if some.is_empty() {
                batches::drop_others(&mut transaction, &self.tenant.schema, locks)?
            } else {
                batches::drop_tables(&mut transaction, &some)?;
                true
            }
        };
        transaction.batch_execute(&give)?;
        transaction.commit()?;
        Ok(more)
    }
}

/// What of the schema ($1) one of these roles ($2) may read that does not own it, from this OID on ($3).
const OPENED: &str = "SELECT c.oid, pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(r.rolname), ', ') AS grantees \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     CROSS JOIN pg_catalog.aclexplode(c.relacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee \
     WHERE n.nspname = $1::text::name AND c.oid > $3 AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner \
     AND r.rolname = ANY ($2::text[]::name[]) GROUP BY c.oid ORDER BY c.oid LIMIT $4";

/// To drop one with its indexes, its sequence and its TOAST table, by the estimate of [`Schema::locks`](crate::core::model::Schema::locks).
const LOCKS_OF_A_TABLE: i64 = 20;

//! A tenant made from its archive instead of its first migrations.
//!
//! pg_restore has a session of its own, so this cannot be one transaction. Until the data are in, the registry says
//! "restoring": nobody can log in, and a run that is cut off is started over by the next. After that the tenant is like one
//! whose secret and grants are missing, and a plan and an apply as always give it those.

use std::collections::BTreeMap;

use postgres::{Client, Transaction};

use super::context::Apply;
use super::{batches, secret, shared, watch};
use crate::core::model::{Rotation, State, Tenant};
use crate::core::plan::{Plan, Restoration};
use crate::engine::archive::{self, Deputy, Errand, Opened, Programs, relations};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};
use crate::engine::registry;

/// What putting one archive back takes.
pub struct Restore<'a> {
    pub apply: &'a Apply<'a>,
    pub restoration: &'a Restoration,
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
        archive::refuse_large_objects(client, self.opened, &self.restoration.group)?;
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

    fn begin<'c>(&self, client: &'c mut Client) -> Result<Transaction<'c>, postgres::Error> {
        let mut transaction = client.transaction()?;
        transaction.batch_execute(&self.preamble())?;
        Ok(transaction)
    }

    fn preamble(&self) -> String {
        let begin = [self.apply.desired.limits_waits(), registry::guard::check()];
        begin.into_iter().chain(self.apply.lock.check_that_nobody_took_it()).collect::<Vec<_>>().join("; ")
    }

    /// Roles that nobody can log in as, an empty schema, and the registry's row that says how far it got.
    fn make(&self, client: &mut Client) -> Result<(), Error> {
        let doing = "creating the roles and the schema";
        let tenant = self.tenant;
        let mut transaction = self.begin(client).doing(doing)?;
        run(&mut transaction, &self.restoration.make()).doing(doing)?;
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
            declared_by: tenant.origin,
            // The plan that follows makes the two users.
            rotation: Rotation::Single,
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
            &self.restoration.roles,
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
        let [take, give] = self.restoration.rights();
        let mut transaction = self.begin(client).doing(doing)?;
        run(&mut transaction, &take).doing(doing)?;
        run(&mut transaction, &[self.restoration.take_over(&deputy.name)]).doing(doing)?;
        deputy.drop_in(&mut transaction).doing(doing)?;
        let exists = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
        let exists: bool = transaction.ask_one(exists, &[&self.restoration.history()]).doing(doing)?.get(0);
        run(&mut transaction, &self.restoration.open_history(exists)).doing(doing)?;
        run(&mut transaction, &give).doing(doing)?;
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

    fn open_to_each_other(&self, client: &mut Client, deputy: &Deputy) -> Result<(), Error> {
        let doing = "letting the tenant's roles read what the deputy creates";
        let mut transaction = self.begin(client).doing(doing)?;
        run(&mut transaction, &self.restoration.open_to_each_other(&deputy.name)).doing(doing)?;
        transaction.commit().doing(doing)
    }

    /// Privileges are not restored, so whatever the tenant's roles may read of each other by now, the deputy granted. The plan
    /// that follows grants what is declared. In pieces, since from 18 on each may take a lock.
    fn close_to_each_other(&self, client: &mut Client) -> Result<(), Error> {
        let doing = "revoking what the tenant's roles could read in the meantime";
        let [take, give] = self.restoration.rights();
        let locks = self.apply.server.locks_of_a_batch();
        let mut last = 0_u32;
        loop {
            let mut transaction = self.begin(client).doing(doing)?;
            run(&mut transaction, &take).doing(doing)?;
            let roles = &self.restoration.roles;
            let opened = transaction.ask(OPENED, &[&self.tenant.schema, roles, &last, &locks]).doing(doing)?;
            let mut by_grantees: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            for row in &opened {
                by_grantees.entry(row.get("grantees")).or_default().push(row.get("oid"));
            }
            for (grantees, oids) in by_grantees {
                let revoke = format!("REVOKE SELECT ON % FROM {grantees}");
                relations::at_once(&mut transaction, &oids, &revoke, "").doing(doing)?;
            }
            run(&mut transaction, &give).doing(doing)?;
            transaction.commit().doing(doing)?;
            match opened.last() {
                Some(row) => last = row.get("oid"),
                None => return Ok(()),
            }
        }
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
        while self.drop_piece(client).doing(doing)? {}
        let mut transaction = self.begin(client).doing(doing)?;
        run(&mut transaction, &self.restoration.clear()).doing(doing)?;
        registry::forget_restore(&mut transaction, &tenant.key).doing(doing)?;
        transaction.commit().doing(doing)
    }

    /// What would not fit the lock table goes before the rest; nothing of it is not in the archive. Whether there is more.
    fn drop_piece(&self, client: &mut Client) -> Result<bool, postgres::Error> {
        let [take, give] = self.restoration.rights();
        let locks = self.apply.server.locks_of_a_batch();
        let mut transaction = self.begin(client)?;
        run(&mut transaction, &take)?;
        let more = batches::unlink(&mut transaction, self.restoration.drops(), locks)? || {
            let at_once = (locks / LOCKS_OF_A_TABLE).max(1);
            let some = batches::some_tables(&mut transaction, &self.tenant.schema, at_once, None)?;
            if some.is_empty() {
                batches::drop_others(&mut transaction, &self.tenant.schema, locks)?
            } else {
                batches::drop_tables(&mut transaction, &some)?;
                true
            }
        };
        run(&mut transaction, &give)?;
        transaction.commit()?;
        Ok(more)
    }
}

fn run(transaction: &mut Transaction<'_>, sql: &[String]) -> Result<(), postgres::Error> {
    transaction.batch_execute(&sql.join("; "))
}

/// What of the schema ($1) one of these roles ($2) may read that does not own it, from this OID on ($3).
const OPENED: &str = "SELECT c.oid, pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(r.rolname), ', ') AS grantees \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     CROSS JOIN pg_catalog.aclexplode(c.relacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee \
     WHERE n.nspname = $1::text::name AND c.oid > $3 AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner \
     AND r.rolname = ANY ($2::text[]::name[]) GROUP BY c.oid ORDER BY c.oid LIMIT $4";

/// To drop one with its indexes, its sequence and its TOAST table, by the estimate of [`Schema::locks`](crate::core::model::Schema::locks).
const LOCKS_OF_A_TABLE: i64 = 20;

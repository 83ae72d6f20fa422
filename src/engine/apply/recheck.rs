//! The schema that the plan was made for, looked at again where it counts: the question may have waited for hours.

use std::collections::BTreeMap;

use postgres::{Client, GenericClient, Transaction};

use super::failure::database_error;
use super::job::Job;
use super::session::connect;
use crate::core::model::{ident, literal};
use crate::core::plan::Change;
use crate::core::report::TenantError;
use crate::engine::database::Ask;
use crate::engine::inspect;

const NAMED: &str = "SELECT n.oid, r.rolname::text AS owner FROM pg_catalog.pg_namespace n \
     JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner WHERE n.nspname = $1::text::name";

impl Job<'_> {
    fn drops_schema(&self) -> bool {
        self.plan.phases.drops_schema()
    }

    /// Before anything is changed.
    ///
    /// # Errors
    /// When its schema is another one, or is to be dropped and changed hands, or something outside depends on it.
    pub fn is_as_planned(&self, client: &mut impl GenericClient) -> Result<(), TenantError> {
        let Some(seen) = &self.plan.seen else { return Ok(()) };
        let owner = self.owner_of(client, &seen.name, seen.oid)?;
        if !self.drops_schema() {
            return Ok(());
        }
        if owner != self.plan.owner {
            return Err(changed(format!("schema {:?} now belongs to {owner:?}", seen.name)));
        }
        let doing = "checking the schema again";
        let dependents = inspect::dependents_of(client, &seen.name).map_err(|error| self.told(doing, &error))?;
        match dependents.first() {
            None => Ok(()),
            Some(first) => {
                Err(changed(format!("{} outside schema {:?} would be dropped with it", first.what, seen.name)))
            }
        }
    }

    /// Nobody's sessions are ended for a plan that no longer holds, or for want of the session that looks from outside.
    ///
    /// # Errors
    /// As [`Self::is_as_planned`], and [`Self::nothing_more_holds_the_roles`].
    pub fn may_be_locked_out(&self, client: &mut Client) -> Result<(), TenantError> {
        if self.drops_schema() {
            self.is_as_planned(client)?;
            connect(self.apply)?;
        }
        self.nothing_more_holds_the_roles(client)
    }

    /// Before anybody is locked out or archived: what keeps a role from being dropped is what the plan saw, and takes away.
    ///
    /// # Errors
    /// When somebody granted it something since.
    fn nothing_more_holds_the_roles(&self, client: &mut impl GenericClient) -> Result<(), TenantError> {
        let drops = self.plan.phases.transaction.iter().filter_map(|change| match change {
            Change::DropRole(drop) => Some((&drop.role, &drop.holds)),
            _ => None,
        });
        let drops: BTreeMap<_, _> = drops.collect();
        if drops.is_empty() {
            return Ok(());
        }
        let schema = self.plan.seen.as_ref().map_or(&self.plan.schema, |seen| &seen.name);
        let roles: Vec<_> = drops.keys().map(|role| ((*role).clone(), schema.clone())).collect();
        let doing = "looking at the roles again";
        let found = inspect::holds(client, &roles, &self.apply.server.admin.name);
        for (role, found) in found.map_err(|error| self.told(doing, &error))? {
            let planned = drops.get(&role);
            if found.iter().any(|hold| planned.is_none_or(|planned| !planned.contains(hold))) {
                return Err(changed(format!("something else names role {role:?}, and keeps it from being dropped")));
            }
        }
        Ok(())
    }

    /// Before COMMIT. A drop has locked what it drops: another session sees what was there until then, and from then on
    /// nobody can add to it. Whatever else was done by the schema's name was done to the planned one, if that has it still.
    ///
    /// # Errors
    /// As [`Self::is_as_planned`].
    pub fn was_as_planned(&self, transaction: &mut Transaction<'_>) -> Result<(), TenantError> {
        match &self.plan.seen {
            None => Ok(()),
            Some(_) if self.drops_schema() => self.is_as_planned(&mut connect(self.apply)?),
            Some(seen) => self.owner_of(transaction, &self.plan.schema, seen.oid).map(drop),
        }
    }

    /// Of the schema with this name, when it is the one with this OID.
    fn owner_of(&self, client: &mut impl GenericClient, name: &str, oid: u32) -> Result<String, TenantError> {
        let found = client.ask_opt(NAMED, &[&name]);
        let found = found.map_err(|error| database_error("checking the schema again", &error.into()))?;
        match found {
            None => Err(changed(format!("schema {name:?} is gone"))),
            Some(row) if row.get::<_, u32>("oid") != oid => {
                Err(changed(format!("schema {name:?} is now a different one")))
            }
            Some(row) => Ok(row.get("owner")),
        }
    }
}

/// What to do when PostgreSQL will not drop a role though the plan took away whatever kept it (2BP01): the message names it.
pub(super) fn given_since(role: &str) -> String {
    format!(
        "somebody gave it to {role} meanwhile; plan again, and apply takes it away or says who can: tenantry plan   to see it: \
         SELECT coalesce(d.datname, current_database()), s.deptype, pg_describe_object(s.classid, s.objid, s.objsubid) \
         FROM pg_shdepend s LEFT JOIN pg_database d ON d.oid = s.dbid WHERE s.refobjid = {}::regrole",
        literal(&ident(role))
    )
}

/// What to do when a drop waits for a role: a GRANT to it, a policy or an ALTER ... OWNER locks it to the end of its transaction.
pub(super) fn who_names(role: &str) -> String {
    format!(
        "an open transaction names {role}, by a GRANT for instance, and nobody but that session sees it yet; whose it is: \
         SELECT a.pid, a.usename, a.xact_start, a.query FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
         WHERE l.classid = 'pg_authid'::regclass AND l.objid = {}::regrole; apply again once it has ended",
        literal(&ident(role))
    )
}

fn changed(what: String) -> TenantError {
    TenantError::new(format!("changed since the plan was made: {what}; it was left unchanged"))
        .hint("plan again: tenantry plan")
}

//! The schema that the plan was made for, looked at again where it counts: the question may have waited for hours.

use postgres::{GenericClient, Transaction};

use super::outcome::TenantError;
use super::tenant::{Job, connect, database_error};
use crate::database::Ask;
use crate::inspect;
use crate::plan::Kind;

const NAMED: &str = "SELECT n.oid, r.rolname::text AS owner FROM pg_catalog.pg_namespace n \
     JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner WHERE n.nspname = $1::text::name";

impl Job<'_> {
    pub fn drops_schema(&self) -> bool {
        self.plan.changes.iter().any(|change| change.kind == Kind::DropSchema)
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
            return Err(changed(format!("schema {:?} belongs to {owner:?} now", seen.name)));
        }
        let doing = "looking at the schema again";
        let dependents = inspect::dependents_of(client, &seen.name).map_err(|error| self.told(doing, &error))?;
        match dependents.first() {
            None => Ok(()),
            Some(first) => {
                Err(changed(format!("{} outside schema {:?} would be dropped with it", first.what, seen.name)))
            }
        }
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
        let found = found.map_err(|error| database_error("looking at the schema again", &error.into()))?;
        match found {
            None => Err(changed(format!("schema {name:?} is gone"))),
            Some(row) if row.get::<_, u32>("oid") != oid => Err(changed(format!("schema {name:?} is another one now"))),
            Some(row) => Ok(row.get("owner")),
        }
    }
}

fn changed(what: String) -> TenantError {
    TenantError::new(format!("changed since the plan was made: {what}; it was left as it is"))
        .hint("plan again: tenantry plan")
}

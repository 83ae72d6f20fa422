//! A removal that would not fit PostgreSQL's lock table: what of it goes a few at a time.

use super::action::DropLargeObjects;
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use crate::core::model::Schema;

/// How much of a tenant goes in one transaction; `None`: all of it with the tenant.
pub(super) struct Batches {
    /// Tables of its schema.
    pub tables: Option<i64>,
    /// The roles that are dropped.
    roles: Vec<String>,
    /// Large objects of theirs.
    pub large_objects: Option<i64>,
    /// How many of those there are.
    objects: i64,
    /// The locks that removing it in one transaction would take, estimated.
    locks: i64,
    /// Those that PostgreSQL has room for.
    slots: i64,
}

impl Batches {
    /// In batches goes what would fill more than half of the lock table, which serves everybody. A batch is a quarter of it,
    /// since several tenants are removed at once. Each large object takes a lock when it is unlinked (seen on 15 and 18).
    pub fn of(fleet: &Fleet<'_>, schema: Option<&Schema>, roles: Vec<String>) -> Self {
        let slots = fleet.observed.server.lock_slots;
        let (room, batch) = (slots / 2, fleet.observed.server.locks_of_a_batch());
        let of_schema = schema.map_or(0, Schema::locks);
        let found = roles.iter().filter_map(|role| fleet.observed.roles.get(role));
        let large_objects: i64 = found.map(|role| role.large_objects).sum();
        let locks = of_schema + large_objects;
        let tables = schema.map_or(0, |schema| schema.tables).max(1);
        Self {
            tables: (room > 0 && of_schema > room).then(|| (batch * tables / of_schema).max(1)),
            roles,
            large_objects: (large_objects > 0 && room > 0 && locks > room).then_some(batch),
            objects: large_objects,
            locks,
            slots,
        }
    }

    /// `archived`: what an administrator writes after the archive is lost.
    pub fn hazard(&self, schema: &str, archived: bool) -> Option<Hazard> {
        let what = match (self.tables, self.large_objects) {
            (None, None) => return None,
            (Some(_), None) => "what it contains is dropped",
            (None, Some(_)) => "its large objects are dropped",
            (Some(_), Some(_)) => "its large objects and what it contains are dropped",
        };
        let lost =
            if archived { "; what an administrator writes to the remaining ones in the meantime is lost" } else { "" };
        let detail = format!(
            "dropping schema {schema} takes about {} locks, but PostgreSQL has room for {}: {what} a few at a time{lost}",
            self.locks, self.slots,
        );
        Some(Hazard { kind: HazardKind::ManyLocks, detail })
    }

    /// Before the schema, since its tables know the large objects' numbers and not the other way round.
    pub fn unlink(&self) -> Option<DropLargeObjects> {
        let at_once = self.large_objects?;
        Some(DropLargeObjects { roles: self.roles.clone(), objects: self.objects, at_once })
    }
}

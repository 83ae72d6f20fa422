//! What migrations make, and their history.

use tenantry::model::{Acl, Applied, Grantee, History, ObjectGroup, ObjectKind};
use tenantry::plan::action::{Baseline, HistoryReaders, Migrate};

use super::Fold;
use super::privileges::replaced;

impl Fold<'_> {
    pub(super) fn baseline(&mut self, baseline: &Baseline) {
        let applied = self.rows(&baseline.versions);
        let acl = self.new_history(&baseline.schema, &baseline.owner, &baseline.readers);
        self.schema(&baseline.schema).history = History::Read { applied, acl, columns: Vec::new() };
    }

    /// Late files too: who applies runs them after COMMIT.
    pub(super) fn migrate(&mut self, migrate: &Migrate) {
        let mut versions: Vec<i64> =
            self.schema(&migrate.schema).history.applied().iter().map(|applied| applied.version).collect();
        versions.extend(migrate.versions());
        versions.sort_unstable();
        let (rows, old) = (self.rows(&versions), self.schema(&migrate.schema).history.clone());
        let (acl, columns) = match old {
            History::Read { acl, columns, .. } => (acl, columns),
            _ => {
                let readers = migrate.new_history.clone().unwrap_or_default();
                (self.new_history(&migrate.schema, &migrate.owner, &readers), Vec::new())
            }
        };
        self.schema(&migrate.schema).history = History::Read { applied: rows, acl, columns };
        self.make_a_table(&migrate.schema, &migrate.owner);
    }

    pub(super) fn rows(&self, versions: &[i64]) -> std::sync::Arc<[Applied]> {
        versions.iter().filter_map(|version| self.desired.migrations.get(*version)).map(Applied::of).collect()
    }

    pub(super) fn new_history(&self, schema: &str, owner: &str, readers: &HistoryReaders) -> Acl {
        let mut acl = self.new_object(schema, owner, ObjectKind::Table);
        if let Some(tenant) = &readers.tenant {
            acl = replaced(&acl, &Grantee::Role(tenant.clone()), "r", false);
        }
        match &readers.keeper {
            Some(keeper) => acl.with(Grantee::Role(keeper.clone()), "r"),
            None => acl,
        }
    }

    /// What a migration makes is the owner's, and has what the default privileges give by then.
    pub(super) fn make_a_table(&mut self, schema: &str, owner: &str) {
        let acl = self.new_object(schema, owner, ObjectKind::Table);
        let (kind, columns, examples) = (ObjectKind::Table, Vec::new(), vec!["made_by_migrations".to_owned()]);
        self.schema(schema).objects.push(ObjectGroup { kind, owner: owner.into(), acl, columns, count: 1, examples });
    }

    pub(super) fn new_object(&self, schema: &str, owner: &str, kind: ObjectKind) -> Acl {
        let letters = tenantry::plan::owners_privileges(kind, self.observed.server.major());
        let mut acl = Acl::default().with(Grantee::Role(owner.into()), letters);
        let defaults = self.observed.schemas[schema].default_acls.iter();
        for default in defaults.filter(|default| default.role == owner && default.kind == kind) {
            for entry in default.acl.entries() {
                acl = acl.with_entry(&entry);
            }
        }
        acl
    }
}

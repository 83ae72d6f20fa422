//! Who owns what, and who may do what with it.

use tenantry::model::{Acl, DefaultAcl, Entry, Grantee, History, ObjectGroup, ObjectKind};
use tenantry::plan::action::{Grant, GrantObjects, Granted, Owned, SetOwner};

use super::Fold;

impl Fold<'_> {
    pub(super) fn set_owner(&mut self, set: &SetOwner) {
        let SetOwner { of, from, to } = set;
        let major = self.observed.server.major();
        match of {
            Owned::Schema(name) => {
                let schema = self.schema(name);
                assert_eq!(schema.owner, *from, "of schema {name}");
                to.clone_into(&mut schema.owner);
                schema.acl = schema.acl.handed_over(from, to);
            }
            Owned::Objects { schema, names, only_the_named, .. } => {
                let schema = self.schema(schema);
                let is_named = |group: &ObjectGroup| group.examples.iter().any(|name| names.contains(name));
                for group in &mut schema.objects {
                    if group.owner == *from && (!only_the_named || is_named(group)) {
                        change_hands(group, from, to);
                    }
                }
                schema.taken.clear();
                // The history is somebody's whose it all was; what a tenant with access "full" made is another's.
                let all = tenantry::plan::owners_privileges(ObjectKind::Table, major);
                if let History::Read { acl, .. } = &mut schema.history
                    && acl.of(from) == Acl::default().with(Grantee::Public, all).of_public()
                {
                    *acl = acl.handed_over(from, to);
                }
            }
        }
    }

    pub(super) fn grant(&mut self, grant: &Grant) {
        let mended = |acl: &Acl| mended(acl, grant);
        match &grant.on {
            Granted::Schema(name) => {
                let schema = self.schema(name);
                schema.acl = mended(&schema.acl);
            }
            Granted::History { schema, column, .. } => {
                let (History::Read { acl, columns, .. } | History::Unseen { acl, columns }) =
                    &mut self.schema(schema).history
                else {
                    panic!("schema {schema} has no history to grant on")
                };
                match column {
                    None => *acl = mended(acl),
                    Some(name) => columns.retain(|column| column.name != *name),
                }
            }
            Granted::Future { role, schema: Some(schema), plural } => {
                let kind = ObjectKind::ALL.into_iter().find(|kind| kind.plural() == *plural).unwrap();
                let defaults = &mut self.schema(schema).default_acls;
                let of = |default: &DefaultAcl| default.role == *role && default.kind == kind;
                let at = defaults.iter().position(of).unwrap_or_else(|| {
                    defaults.push(DefaultAcl { role: role.clone(), kind, acl: Acl::default() });
                    defaults.len() - 1
                });
                defaults[at].acl = mended(&defaults[at].acl);
                defaults.retain(|default| !default.acl.is_empty());
            }
            Granted::Future { role, schema: None, plural } => {
                let defaults = &mut self.role(role).default_acls;
                for found in defaults.iter_mut().filter(|default| default.plural == *plural) {
                    found.acl = mended(&found.acl);
                }
            }
        }
    }

    /// Those of the owner that the plan found different, and those that became the owner's a moment ago.
    pub(super) fn grant_objects(&mut self, grant: &GrantObjects) {
        let (user, owner) = (Grantee::Role(grant.username.clone()), Grantee::Role(grant.owner.clone()));
        for group in &mut self.schema(&grant.schema).objects {
            if group.kind != grant.kind || group.owner != grant.owner {
                continue;
            }
            let (mut acl, mut keeps) = (group.acl.clone(), false);
            for (difference, column, kept) in grant.found.iter().flat_map(|found| &found.differences) {
                keeps |= *kept;
                if column.is_none() && !kept {
                    acl = replaced(&acl, &difference.grantee, difference.want(), false);
                }
            }
            if let Some(want) = grant.want {
                acl = replaced(&acl, &user, want, keeps && !grant.resets);
            }
            group.acl = acl.with(owner.clone(), grant.owners);
            if !keeps {
                group.columns.clear();
            }
        }
    }
}

/// Without anything of the grantee's, and what it passed on.
pub(super) fn without(acl: &Acl, grantee: &Grantee) -> Acl {
    let passed_on = |entry: &Entry<'_>| match (grantee, entry.grantor) {
        (Grantee::Role(role), Some(grantor)) => role == grantor,
        _ => false,
    };
    filtered(acl, |entry| entry.grantee != grantee && !passed_on(entry))
}

/// The grantee holds `want` of the owner's grant, and nothing else unless that is kept.
pub(super) fn replaced(acl: &Acl, grantee: &Grantee, want: &str, keep: bool) -> Acl {
    if keep { acl.clone().with(grantee.clone(), want) } else { without(acl, grantee).with(grantee.clone(), want) }
}

fn mended(acl: &Acl, grant: &Grant) -> Acl {
    let Grant { difference, keep, .. } = grant;
    let acl = replaced(acl, &difference.grantee, difference.want(), *keep);
    if *keep {
        return acl;
    }
    let is_to_go = |entry: &Entry<'_>| entry.grantor.is_some_and(|grantor| difference.grantors().contains(grantor));
    filtered(&acl, |entry| !is_to_go(entry))
}

fn filtered(acl: &Acl, stays: impl Fn(&Entry<'_>) -> bool) -> Acl {
    acl.entries().filter(stays).fold(Acl::default(), |acl, entry| acl.with_entry(&entry))
}

/// To another owner, as `ALTER … OWNER TO` does it.
pub(super) fn change_hands(group: &mut ObjectGroup, from: &str, to: &str) {
    to.clone_into(&mut group.owner);
    group.acl = group.acl.handed_over(from, to);
    group.columns.iter_mut().for_each(|column| column.acl = column.acl.handed_over(from, to));
}

//! What somebody did by hand since the last apply, one command a line.

use tenantry::model::{
    Acl, Applied, Belongs, Column, DefaultAcl, Dependent, Distrust, Entry, Extension, Foreign, FormerSecret, Grantee,
    Group, History, Keeper, Membership, ObjectGroup, ObjectKind, Observed, PublicState, RegistryObject, RegistrySchema,
    Role, Schema, SecretState, SharedSchema, State, TenantKey, VaultContents, VaultObject, VaultRole, VaultSeen,
};

use super::by_hand_roles::{alter_role, every_schema, group, holds, membership, outside};
use crate::support_as_applied::contents_of;

/// Changes the observed state as each line says.
pub fn carry_out(commands: &str, observed: &mut Observed) {
    for line in commands.lines().filter(|line| !line.is_empty()) {
        one(line, observed).unwrap_or_else(|| panic!("no such command: {line}"));
    }
}

fn one(line: &str, observed: &mut Observed) -> Option<()> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        // These two make the server the case begins with.
        ["server", _] | ["admin", "is", "not", "superuser"] => {}
        ["admin", "is", name] => observed.server.admin.name = (*name).into(),
        ["drop", "role", name] => drop_role(observed, name)?,
        ["drop", "schema", name] => {
            let gone = observed.schemas.remove(*name)?;
            observed.schema_names.remove(&gone.oid);
        }
        ["rename", "schema", name, "to", new] => rename_schema(observed, name, new)?,
        ["registry", "came", "with", "a", "dump"] => {
            observed.registry.as_mut()?.tenants.values_mut().for_each(|row| row.schema_oid = None);
        }
        ["drop", "group"] => {
            observed.database.group.take()?;
            let group = tenantry::plan::group_role(&observed.database.name);
            observed.roles.values_mut().for_each(|role| role.member_of.retain(|membership| membership.role != group));
            observed.database.shared_schemas.values_mut().for_each(|shared| shared.group_has_usage = false);
        }
        ["role", name, "exists"] => {
            let role = Role { inherit: true, connection_limit: -1, ..Role::default() };
            drop(observed.roles.insert((*name).into(), role));
        }
        ["schema", name, "exists"] => {
            let schema = Schema { owner: "somebody".into(), tables: 4, ..Schema::default() };
            drop(observed.schemas.insert((*name).into(), schema));
        }
        ["alter", "role", name, rest @ ..] => alter_role(observed.roles.get_mut(*name)?, rest)?,
        ["grant", role, "to", member, how @ ..] if !role.chars().all(char::is_uppercase) => {
            membership(observed, role, member, how)?;
        }
        ["group", rest @ ..] => group(observed, rest)?,
        ["admin", "keeps", "the", "registry"] => {
            let admin = &observed.server.admin;
            observed.server.keeper = Some(Keeper { name: admin.name.clone(), superuser: admin.superuser });
        }
        ["holds", role, rest @ ..] => holds(observed.roles.get_mut(*role)?, rest)?,
        ["outside", role, rest @ ..] => outside(observed.roles.get_mut(*role)?, rest)?,
        ["future", kind, "of", role, "in", "every", "schema", rest @ ..] => {
            every_schema(observed.roles.get_mut(*role)?, role, kind, rest)?;
        }
        ["future", kind, "of", role, "in", schema, "to", grantee] => {
            let kind = ObjectKind::ALL.into_iter().find(|found| found.plural().eq_ignore_ascii_case(kind))?;
            let acl = Acl::default().with(Grantee::Role((*grantee).into()), "r");
            observed.schemas.get_mut(*schema)?.default_acls.push(DefaultAcl { role: (*role).into(), kind, acl });
        }
        ["grant" | "revoke", rest @ ..] => acl(observed, words[0] == "grant", rest)?,
        ["collation", name, "of", owner, "in", schema] => {
            observed.schemas.get_mut(*schema)?.objects.push(ObjectGroup {
                kind: ObjectKind::Other,
                owner: (*owner).into(),
                acl: Acl::default(),
                columns: Vec::new(),
                count: 1,
                examples: vec![(*name).into()],
            })
        }
        ["owner", "of", "schema", name, "is", owner] => owned_by(observed.schemas.get_mut(*name)?, owner),
        ["table", name, "of", owner, "in", schema] => observed.schemas.get_mut(*schema)?.objects.push(ObjectGroup {
            kind: ObjectKind::Table,
            owner: (*owner).into(),
            acl: Acl::default().with(Grantee::Role((*owner).into()), "Dadrtwx"),
            columns: Vec::new(),
            count: 1,
            examples: vec![(*name).into()],
        }),
        ["view", view, "depends", "on", "schema", schema] => {
            let dependent = Dependent { what: format!("view {view}"), remedy: None };
            observed.schemas.get_mut(*schema)?.dependents.push(dependent);
        }
        ["table", name, "is", "a", "partition", "of", parent, "in", schema] => {
            let remedy = Some(format!("ALTER TABLE {schema}.{parent} DETACH PARTITION {name}"));
            observed.schemas.get_mut(*schema)?.dependents.push(Dependent { what: format!("table {name}"), remedy });
        }
        ["free", "for", "archives", bytes] => observed.archive_space = bytes.parse().ok(),
        ["lock", "table", "holds", locks] => observed.server.lock_slots = locks.parse().ok()?,
        ["max", "connections", connections] => observed.server.connection_slots = connections.parse().ok()?,
        ["reached", "at", host, port] => {
            (observed.server.host, observed.server.port) = ((*host).into(), port.parse().ok()?);
            observed.server.reached = vec![format!("{host}:{port}")];
        }
        ["registry", "was", "reached", "at", address, since @ ..] => {
            let home = observed.registry.as_mut()?.home.get_or_insert_default();
            home.reached.insert((*address).into());
            home.is_same_start = since == ["before", "this", "start"];
        }
        ["role", name, "owns", objects, "large", "objects"] => {
            observed.roles.get_mut(*name)?.large_objects = objects.parse().ok()?;
        }
        ["large", "objects", "of", "role", name, "take", bytes] => {
            observed.roles.get_mut(*name)?.large_object_bytes = bytes.parse().ok()?;
        }
        ["schema", name, "holds", relations, "relations"] => {
            observed.schemas.get_mut(*name)?.relations = relations.parse().ok()?;
        }
        ["deputy", name, "of", tenant, "is", "left"] => {
            let rows = &mut observed.registry.as_mut()?.tenants;
            rows.get_mut(&TenantKey::new(*tenant).ok()?)?.deputy = Some((*name).into());
            let row = &rows[&TenantKey::new(*tenant).ok()?];
            let (user, owner) = (row.username.clone(), row.owner.clone());
            for role in [user, owner] {
                observed.roles.get_mut(&role)?.members.insert(Membership::plain(*name));
            }
            observed.database.group.as_mut()?.role.members.insert(Membership::plain(*name));
            drop(observed.roles.insert(
                (*name).into(),
                Role { can_login: true, inherit: true, connection_limit: 2, ..Role::default() },
            ));
        }
        ["state", "of", tenant, "is", state] => {
            let state = match *state {
                "restoring" => State::Restoring,
                "removing" => State::Removing,
                _ => return None,
            };
            observed.registry.as_mut()?.tenants.get_mut(&TenantKey::new(*tenant).ok()?)?.state = state;
        }
        ["history", schema, rest @ ..] => history(&mut observed.schemas.get_mut(*schema)?.history, rest)?,
        ["delete", "secret", path] => drop(observed.secrets.remove(*path)?),
        ["secret", path, rest @ ..] => secret(observed, path, rest)?,
        ["new", "store", "is", "empty"] => observed.secrets.clear(),
        ["vault", rest @ ..] => vault(observed.vault.as_mut()?, rest)?,
        ["public", rest @ ..] => public(observed, rest)?,
        ["shared", "schema", name, "exists"] => {
            let shared = SharedSchema { owner: "somebody".into(), ..SharedSchema::default() };
            _ = observed.database.shared_schemas.insert((*name).into(), shared);
        }
        ["database", "without", "connect"] => {
            observed.database.public_has_connect = false;
            observed.database.group = Some(Group::default());
        }
        ["extension", name, "is", "in", schema, how @ ..] => {
            let found = Extension {
                schema: (*schema).into(),
                owner: "somebody".into(),
                relocatable: !how.contains(&"fixed"),
                open: how.contains(&"open"),
            };
            drop(observed.database.extensions.insert((*name).into(), found));
        }
        ["role", role, "comes", "by", via, "to", powers @ ..] => {
            let powers = powers.iter().map(|power| (*power).to_owned()).collect();
            drop(observed.roles.get_mut(*role)?.powerful.insert((*via).into(), powers));
        }
        ["tenantry", rest @ ..] => registry(observed.registry_schema.get_or_insert_default(), rest)?,
        ["former", "owner", role] => drop(observed.registry.as_mut()?.former_owners.insert((*role).into())),
        ["former", "secret", path, "of", key] => {
            let row = observed.registry.as_mut()?.tenants.get_mut(&TenantKey::new(*key).ok()?)?;
            let (store, place) = (row.secret.store.clone(), row.secret.place.clone()?);
            row.former_secrets.push(FormerSecret { store, place, path: (*path).into(), version: "1".into() });
        }
        ["tenant", key, state @ ("retained" | "removed")] => leave(observed, key, state)?,
        ["registry", "is", "behind"] => observed.registry.as_mut()?.pending = 1,
        _ => return None,
    }
    Some(())
}

/// As a look finds it: by the names that are declared or registered, and the OIDs that are registered.
fn rename_schema(observed: &mut Observed, name: &str, new: &str) -> Option<()> {
    let schema = observed.schemas.remove(name)?;
    observed.schema_names.insert(schema.oid, new.to_owned());
    observed.schemas.insert(new.to_owned(), schema);
    Some(())
}

fn drop_role(observed: &mut Observed, name: &str) -> Option<()> {
    observed.roles.remove(name)?;
    // DROP OWNED comes before DROP ROLE: the role is in no ACL any more.
    let gone = |acl: &Acl| {
        let others = acl.entries().filter(|entry| entry.grantee.to_string() != name);
        others.fold(Acl::default(), |acl, entry| acl.with_entry(&entry))
    };
    for schema in observed.schemas.values_mut() {
        schema.acl = gone(&schema.acl);
        schema.objects.retain(|group| group.owner != name);
        schema.objects.iter_mut().for_each(|group| group.acl = gone(&group.acl));
        schema.default_acls.retain(|default| default.role != name);
        schema.default_acls.iter_mut().for_each(|default| default.acl = gone(&default.acl));
        schema.default_acls.retain(|default| !default.acl.is_empty());
        if let History::Read { acl, .. } = &mut schema.history {
            *acl = gone(acl);
        }
    }
    Some(())
}

/// `LETTERS on schema NAME to ROLE`, `… on tables of SCHEMA …`, `… on future tables of SCHEMA …`, `… on history of SCHEMA …`,
/// `… on column NAME of tables of SCHEMA …`; each possibly with `with option` and `by GRANTOR`.
fn acl(observed: &mut Observed, grant: bool, words: &[&str]) -> Option<()> {
    let (words, by) = match words {
        [words @ .., "by", grantor] => (words, Some(*grantor)),
        words => (words, None),
    };
    let (words, option) = match words {
        [words @ .., "with", "option"] => (words, true),
        words => (words, false),
    };
    let how = How { grant, option, by };
    let (letters, on, schema, role) = match words {
        [letters, "on", "schema", schema, "to" | "from", role] => (letters, "schema", schema, role),
        [letters, "on", "column", column, "of", on, "of", schema, "to" | "from", role] => {
            let acl = Acl::default();
            let columns = || vec![Column { name: (*column).into(), acl: how.change(&acl, letters, role) }];
            let schema = observed.schemas.get_mut(*schema)?;
            if let ("history", History::Read { columns: found, .. }) = (*on, &mut schema.history) {
                *found = columns();
            }
            for group in schema.objects.iter_mut().filter(|group| group.kind.plural().eq_ignore_ascii_case(on)) {
                group.columns = columns();
            }
            return Some(());
        }
        [letters, "on", "future", kind, "of", schema, "to" | "from", role] => {
            let schema = observed.schemas.get_mut(*schema)?;
            for default in
                schema.default_acls.iter_mut().filter(|default| default.kind.plural().eq_ignore_ascii_case(kind))
            {
                default.acl = how.change(&default.acl, letters, role);
            }
            return Some(());
        }
        [letters, "on", on, "of", schema, "to" | "from", role] => (letters, *on, schema, role),
        _ => return None,
    };
    let schema = observed.schemas.get_mut(*schema)?;
    match on {
        "schema" => schema.acl = how.change(&schema.acl, letters, role),
        "history" => match &mut schema.history {
            History::Read { acl, .. } => *acl = how.change(acl, letters, role),
            _ => return None,
        },
        kind => {
            for group in schema.objects.iter_mut().filter(|group| group.kind.plural().eq_ignore_ascii_case(kind)) {
                group.acl = how.change(&group.acl, letters, role);
            }
        }
    }
    Some(())
}

pub struct How<'a> {
    pub grant: bool,
    pub option: bool,
    pub by: Option<&'a str>,
}

impl How<'_> {
    pub fn change(&self, acl: &Acl, letters: &str, role: &str) -> Acl {
        let grantee = if role == "PUBLIC" { Grantee::Public } else { Grantee::Role(role.to_owned()) };
        let changed = acl.entries().fold(Acl::default(), |changed, entry| {
            let keeps = |c: &char| self.grant || *entry.grantee != grantee || !letters.contains(*c);
            changed.with_entry(&Entry { privileges: entry.privileges.chars().filter(keeps).collect(), ..entry })
        });
        if !self.grant {
            return changed;
        }
        let grantable = if self.option { letters.to_owned() } else { String::new() };
        changed.with_entry(&Entry { grantee: &grantee, grantor: self.by, privileges: letters.to_owned(), grantable })
    }
}

fn owned_by(schema: &mut Schema, owner: &str) {
    schema.acl = schema.acl.handed_over(&schema.owner, owner);
    schema.owner = owner.to_owned();
}

fn history(history: &mut History, words: &[&str]) -> Option<()> {
    match (words, history) {
        (["is", "a", "view"], history) => {
            *history = History::Untrusted(Distrust::new("it is a view, not an ordinary table"));
        }
        (["is", "gone"], history) => *history = History::Absent,
        (["without", version], History::Read { applied, .. }) => {
            let version: i64 = version.parse().ok()?;
            *applied = applied.iter().filter(|row| row.version != version).cloned().collect();
        }
        (["with", version, name], History::Read { applied, .. }) => {
            let more = Applied { version: version.parse().ok()?, name: (*name).into(), checksum: "1".into() };
            *applied = applied.iter().cloned().chain([more]).collect();
        }
        _ => return None,
    }
    Some(())
}

fn secret(observed: &mut Observed, path: &str, words: &[&str]) -> Option<()> {
    match words {
        ["written", "by", "someone", "else"] => {
            let state = SecretState::Foreign("it names the tenant \"other\"".into());
            drop(observed.secrets.insert(path.into(), state));
        }
        ["is", "ours"] => {
            let state = SecretState::Ours {
                version: "1".into(),
                created: None,
                marked: true,
                belongs: Belongs::Here,
                contents: None,
            };
            drop(observed.secrets.insert(path.into(), state));
        }
        // A new version with another password, or another username too.
        ["changed"]
        | ["changed", "to", "username", _]
        | ["patched"]
        | ["has", "another", "url"]
        | ["has", "an", "empty", "password"] => {
            let rows = observed.registry.as_ref()?.tenants.values();
            let mut fields = rows.map(|row| &row.secret).find(|secret| secret.path == path)?.fields.clone();
            if let ["changed", "to", "username", username] = words {
                fields.username = (*username).into();
            }
            let mut contents = contents_of(fields, None);
            match words {
                ["patched"] => contents.password_is_remembered_one = Some(true),
                ["has", "another", "url"] => {
                    (contents.url_says_the_same, contents.fields.sslmode) = (false, None);
                    contents.password_is_remembered_one = Some(true);
                }
                ["has", ..] => contents.unusable = Some("is empty"),
                _ => {}
            }
            let contents = Some(contents);
            drop(observed.secrets.insert(
                path.into(),
                SecretState::Ours {
                    version: "2".into(),
                    created: None,
                    marked: true,
                    belongs: Belongs::Here,
                    contents,
                },
            ));
        }
        _ => return None,
    }
    Some(())
}

fn public(observed: &mut Observed, words: &[&str]) -> Option<()> {
    match words {
        ["schema", "dropped"] => observed.database.public_schema = None,
        ["schema", "holds", objects, examples @ ..] => {
            observed.database.public_schema = Some(PublicState {
                public_privileges: "U".into(),
                objects: objects.parse().ok()?,
                examples: examples.iter().map(|name| (*name).into()).collect(),
            });
        }
        ["schema", "open"] => observed.database.public_schema.as_mut()?.public_privileges = "U".into(),
        ["schema", "is", "not", "ours"] => observed.server.admin.owns_public = false,
        ["has", "temp"] => observed.database.public_has_temp = true,
        _ => return None,
    }
    Some(())
}

/// `policy tenant-acme of somebody`, `approle tenant-acme gives a b`, `policy tenant-acme deleted`.
fn vault(vault: &mut VaultSeen, words: &[&str]) -> Option<()> {
    let (object, rest) = match words {
        ["policy", name, rest @ ..] => (VaultObject::Policy { name: (*name).into() }, rest),
        ["approle", name, rest @ ..] => (VaultObject::AppRole { mount: "approle".into(), name: (*name).into() }, rest),
        _ => return None,
    };
    let contents = match rest {
        ["deleted"] => {
            vault.objects.remove(&object)?;
            return Some(());
        }
        ["of", "somebody"] => VaultContents::Policy("path \"theirs/*\" { capabilities = [\"list\"] }".into()),
        ["widened"] => match vault.objects.get(&object)? {
            VaultContents::Policy(text) => VaultContents::Policy(text.replace("/acme\"", "/*\"")),
            VaultContents::Role(_) => return None,
        },
        ["gives", policies @ ..] => {
            let policies = policies.iter().map(|policy| (*policy).to_owned()).collect();
            VaultContents::Role(VaultRole { policies, bound: None })
        }
        _ => return None,
    };
    drop(vault.objects.insert(object, contents));
    Some(())
}

/// As a removal leaves it: retained, or dropped with its secret still there.
fn leave(observed: &mut Observed, key: &str, state: &str) -> Option<()> {
    let registry = observed.registry.as_mut()?;
    let row = registry.tenants.get_mut(&TenantKey::new(key).ok()?)?;
    if state == "retained" {
        row.state = State::Retained;
        row.secret.version = None;
        observed.secrets.remove(&row.secret.path);
        observed.roles.get_mut(&row.username)?.can_login = false;
    } else {
        row.state = State::Removed;
        observed.schemas.remove(&row.schema)?;
        observed.roles.remove(&row.username)?;
        observed.roles.remove(&row.owner);
    }
    Some(())
}

/// What is there of the schema tenantry: `table tenants has PUBLIC r`, `holds a trigger`, `holds a strangers table`.
fn registry(schema: &mut RegistrySchema, words: &[&str]) -> Option<()> {
    match words {
        [kind, name, "has", grantee, letters, how @ ..] => {
            let grantee = match *grantee {
                "PUBLIC" => Grantee::Public,
                role => Grantee::Role(role.into()),
            };
            let entry = Entry {
                grantee: &grantee,
                grantor: None,
                privileges: (*letters).into(),
                grantable: if how.contains(&"grantable") { (*letters).into() } else { String::new() },
            };
            schema.objects.push(RegistryObject {
                kind: (*kind).into(),
                name: if *kind == "schema" { (*name).into() } else { format!("tenantry.{name}") },
                owner: "admin".into(),
                acl: Acl::default().with_entry(&entry),
                columns: Vec::new(),
                ours: !how.contains(&"of-others"),
            });
        }
        ["trigger", name, "on", table] => schema.foreign.push(Foreign {
            what: format!("trigger {name} on tenantry.{table}"),
            remedy: Some(format!("DROP TRIGGER {name} ON tenantry.{table}")),
            runs: true,
            hides: false,
            ours: true,
        }),
        ["function", name, "is", "used"] => {
            schema.foreign.push(Foreign {
                what: format!("function {name}"),
                remedy: None,
                runs: true,
                hides: false,
                ours: true,
            });
        }
        ["future", kind, "of", role, "to", grantee] => {
            let kind = ObjectKind::ALL.into_iter().find(|one| one.plural().eq_ignore_ascii_case(kind))?;
            let acl = Acl::default().with(Grantee::Role((*grantee).into()), "r");
            schema.default_acls.push(DefaultAcl { role: (*role).into(), kind, acl });
        }
        ["holds", what @ .., "of", owner] => schema.strangers.push((what.join(" "), (*owner).into())),
        _ => return None,
    }
    Some(())
}

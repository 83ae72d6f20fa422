//! What somebody did by hand since the last apply, one command a line.

use tenantry::model::{
    Applied, FormerSecret, Grantee, Group, History, ObjectGroup, ObjectKind, Observed, PublicState, Role, Schema,
    SecretContents, SecretState, SharedSchema, State, TenantKey,
};

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
        ["drop", "schema", name] => drop(observed.schemas.remove(*name)?),
        ["drop", "group"] => {
            observed.database.group.take()?;
            let group = tenantry::plan::group_role(&observed.database.name);
            observed.roles.values_mut().for_each(|role| role.member_of.retain(|role| *role != group));
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
        ["grant", role, "to", member] if observed.roles.contains_key(*role) => {
            observed.roles.get_mut(*role)?.members.insert((*member).into());
            if let Some(member) = observed.roles.get_mut(*member) {
                member.member_of.insert((*role).into());
            }
        }
        ["grant", role, "to", member] => drop(observed.roles.get_mut(*member)?.member_of.insert((*role).into())),
        ["grant" | "revoke", rest @ ..] => acl(observed, words[0] == "grant", rest)?,
        ["owner", "of", "schema", name, "is", owner] => owned_by(observed.schemas.get_mut(*name)?, owner),
        ["table", name, "of", owner, "in", schema] => observed.schemas.get_mut(*schema)?.objects.push(ObjectGroup {
            kind: ObjectKind::Table,
            owner: (*owner).into(),
            acl: tenantry::model::Acl::default().with(Grantee::Role((*owner).into()), "Dadrtwx"),
            count: 1,
            examples: vec![(*name).into()],
        }),
        ["view", view, "depends", "on", "schema", schema] => {
            observed.schemas.get_mut(*schema)?.dependents.push(format!("view {view}"));
        }
        ["history", schema, rest @ ..] => history(&mut observed.schemas.get_mut(*schema)?.history, rest)?,
        ["delete", "secret", path] => drop(observed.secrets.remove(*path)?),
        ["secret", path, rest @ ..] => secret(observed, path, rest)?,
        ["new", "store", "is", "empty"] => observed.secrets.clear(),
        ["public", rest @ ..] => public(observed, rest)?,
        ["shared", "schema", name, "exists"] => {
            let shared = SharedSchema { owner: "somebody".into(), group_has_usage: false };
            drop(observed.database.shared_schemas.insert((*name).into(), shared));
        }
        ["database", "without", "connect"] => {
            observed.database.public_has_connect = false;
            observed.database.group = Some(Group::default());
        }
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

fn drop_role(observed: &mut Observed, name: &str) -> Option<()> {
    observed.roles.remove(name)?;
    // DROP OWNED comes before DROP ROLE: the role is in no ACL any more.
    let gone = |acl: &tenantry::model::Acl| {
        acl.entries()
            .filter(|(grantee, _)| grantee.to_string() != name)
            .fold(tenantry::model::Acl::default(), |acl, (grantee, letters)| acl.with(grantee.clone(), &letters))
    };
    for schema in observed.schemas.values_mut() {
        schema.acl = gone(&schema.acl);
        schema.objects.retain(|group| group.owner != name);
        schema.objects.iter_mut().for_each(|group| group.acl = gone(&group.acl));
        schema.default_acls.retain(|default| default.role != name);
        schema.default_acls.iter_mut().for_each(|default| default.acl = gone(&default.acl));
        schema.default_acls.retain(|default| default.acl.entries().next().is_some());
        if let History::Read { acl, .. } = &mut schema.history {
            *acl = gone(acl);
        }
    }
    Some(())
}

fn alter_role(role: &mut Role, words: &[&str]) -> Option<()> {
    match words {
        [power @ ("superuser" | "createdb" | "createrole" | "replication" | "bypassrls")] => {
            let known = ["SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS"];
            role.powers.extend(known.into_iter().filter(|known| known.eq_ignore_ascii_case(power)));
        }
        ["login"] => role.can_login = true,
        ["nologin"] => role.can_login = false,
        ["noinherit"] => role.inherit = false,
        ["connection", "limit", limit] => role.connection_limit = limit.parse().ok()?,
        ["valid", "until", until @ ..] => role.valid_until = Some(until.join(" ")),
        ["set", parameter, "=", value @ ..] => drop(role.settings.insert((*parameter).into(), value.join(" "))),
        ["in", "database", "set", parameter, "=", value @ ..] => {
            drop(role.database_settings.insert((*parameter).into(), value.join(" ")));
        }
        ["is", "the", "admin's"] => role.admin_is_member = true,
        _ => return None,
    }
    Some(())
}

/// `LETTERS on schema NAME to ROLE`, `… on tables of SCHEMA …`, `… on future tables of SCHEMA …`, `… on history of SCHEMA …`.
fn acl(observed: &mut Observed, grant: bool, words: &[&str]) -> Option<()> {
    let (letters, on, schema, role) = match words {
        [letters, "on", "schema", schema, "to" | "from", role] => (letters, "schema", schema, role),
        [letters, "on", "future", kind, "of", schema, "to" | "from", role] => {
            let schema = observed.schemas.get_mut(*schema)?;
            for default in
                schema.default_acls.iter_mut().filter(|default| default.kind.plural().eq_ignore_ascii_case(kind))
            {
                change(&mut default.acl, grant, letters, role);
            }
            return Some(());
        }
        [letters, "on", on, "of", schema, "to" | "from", role] => (letters, *on, schema, role),
        _ => return None,
    };
    let schema = observed.schemas.get_mut(*schema)?;
    match on {
        "schema" => change(&mut schema.acl, grant, letters, role),
        "history" => match &mut schema.history {
            History::Read { acl, .. } => change(acl, grant, letters, role),
            _ => return None,
        },
        kind => {
            for group in schema.objects.iter_mut().filter(|group| group.kind.plural().eq_ignore_ascii_case(kind)) {
                change(&mut group.acl, grant, letters, role);
            }
        }
    }
    Some(())
}

fn change(acl: &mut tenantry::model::Acl, grant: bool, letters: &str, role: &str) {
    let grantee = if role == "PUBLIC" { Grantee::Public } else { Grantee::Role(role.to_owned()) };
    let changed = acl.entries().fold(tenantry::model::Acl::default(), |changed, (found, held)| {
        let kept: String = held.chars().filter(|c| grant || *found != grantee || !letters.contains(*c)).collect();
        changed.with(found.clone(), &kept)
    });
    *acl = if grant { changed.with(grantee, letters) } else { changed };
}

fn owned_by(schema: &mut Schema, owner: &str) {
    schema.acl = schema.acl.handed_over(&schema.owner, owner);
    schema.owner = owner.to_owned();
}

fn history(history: &mut History, words: &[&str]) -> Option<()> {
    match (words, history) {
        (["is", "a", "view"], history) => {
            *history = History::Untrusted("it is a view, not an ordinary table".into());
        }
        (["is", "gone"], history) => *history = History::Absent,
        (["without", version], History::Read { applied, .. }) => {
            let version: i64 = version.parse().ok()?;
            applied.retain(|row| row.version != version);
        }
        (["with", version, name], History::Read { applied, .. }) => {
            applied.push(Applied { version: version.parse().ok()?, name: (*name).into(), checksum: "1".into() });
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
            let state = SecretState::Ours { version: "1".into(), created: None, marked: true, contents: None };
            drop(observed.secrets.insert(path.into(), state));
        }
        // A new version with another password, or another username too.
        ["changed"] | ["changed", "to", "username", _] => {
            let rows = observed.registry.as_ref()?.tenants.values();
            let mut fields = rows.map(|row| &row.secret).find(|secret| secret.path == path)?.fields.clone();
            if let ["changed", "to", "username", username] = words {
                fields.username = (*username).into();
            }
            let contents = Some(SecretContents { fields, password_is_given_one: None });
            drop(
                observed.secrets.insert(
                    path.into(),
                    SecretState::Ours { version: "2".into(), created: None, marked: true, contents },
                ),
            );
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

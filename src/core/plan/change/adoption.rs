//! A tenant that is there and that the registry does not know: what may be taken over.

use std::collections::BTreeSet;

use super::{baseline, rename};
use crate::core::model::{AdoptedPassword, Adoption, Grantee, Holding, Role, ident};
use crate::core::plan::action::Adopt;
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::tenant_plan::Blocked;
use crate::core::words::few;

/// What makes a role a tenant's no matter who says so: CREATEDB alone is taken away.
const TOO_POWERFUL: [&str; 4] = ["SUPERUSER", "CREATEROLE", "REPLICATION", "BYPASSRLS"];

/// Plans that the registry knows it.
///
/// # Errors
/// When it is somebody else's, or must not be a tenant's.
pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let Some(adoption) = facts.adoption else { return Ok(()) };
    let (tenant, observed) = (facts.tenant, facts.fleet.observed);
    let has_schema = observed.schemas.contains_key(&tenant.schema);
    if has_schema {
        is_nobodys(facts, "schema", &tenant.schema)?;
    }
    let mut roles = Vec::new();
    if let Some(role) = observed.roles.get(&tenant.username) {
        is_nobodys(facts, "role", &tenant.username)?;
        may_be_a_tenants(&tenant.username, role)?;
        owns_nothing_else(facts, &tenant.username, role)?;
        roles.push(tenant.username.clone());
    }
    let owner = &tenant.owner_role;
    if tenant.owner() == owner
        && let Some(role) = observed.roles.get(owner)
    {
        let is_shared = facts.fleet.is_shared_owner(owner, &tenant.key);
        if !is_shared {
            is_nobodys(facts, "role", owner)?;
            owns_nothing_else(facts, owner, role)?;
        }
        may_be_a_tenants(owner, role)?;
        may_own(owner, role)?;
        roles.push(owner.clone());
    }
    may_be_handed_over(facts, adoption)?;
    baseline::is_known(facts, adoption)?;
    warn_of_lost_access(facts, findings);
    findings.change(Adopt {
        schema: has_schema.then(|| tenant.schema.clone()),
        keeps_password: keeps_password(facts, adoption),
        roles,
    });
    Ok(())
}

/// Its own, in no secret: for a role that somebody can log in as, and of which no secret is there.
pub(super) fn keeps_password(facts: &Facts<'_>, adoption: &Adoption) -> bool {
    let tenant = facts.tenant;
    let role = facts.fleet.observed.roles.get(&tenant.username);
    adoption.password == AdoptedPassword::Kept
        && tenant.password.is_none()
        && role.is_some_and(has_password)
        && !facts.fleet.observed.secrets.contains_key(&tenant.secret_path)
}

/// Somebody may be logging in as it.
pub(super) fn has_password(role: &Role) -> bool {
    role.can_login && !role.lacks_password
}

fn is_nobodys(facts: &Facts<'_>, what: &str, name: &str) -> Result<(), Blocked> {
    rename::anothers(facts, what, name).map_or(Ok(()), Err)
}

fn may_be_a_tenants(name: &str, role: &Role) -> Result<(), Blocked> {
    let powers: Vec<&str> = role.powers.iter().copied().filter(|power| TOO_POWERFUL.contains(power)).collect();
    if powers.is_empty() {
        return Ok(());
    }
    Err(Blocked::new(
        format!("role {name:?} has {}: such a role is never made a tenant's", powers.join(", ")),
        format!(
            "set another name for it in tenants.toml; or, if nobody needs these powers: ALTER ROLE {} {}",
            ident(name),
            powers.iter().map(|power| format!("NO{power}")).collect::<Vec<_>>().join(" ")
        ),
    ))
}

fn may_own(name: &str, role: &Role) -> Result<(), Blocked> {
    if !role.can_login {
        return Ok(());
    }
    Err(Blocked::new(
        format!("role {name:?} is to own the schema, and somebody may be logging in as it"),
        format!("set another owner in tenants.toml; or, if nobody logs in as it: ALTER ROLE {} NOLOGIN", ident(name)),
    ))
}

/// A role that serves others too would reach them through this tenant's password.
fn owns_nothing_else(facts: &Facts<'_>, name: &str, role: &Role) -> Result<(), Blocked> {
    let own = facts.tenant.schema.as_str();
    let schemas = facts.fleet.owns_in.get(name).into_iter().flatten().filter(|schema| **schema != own);
    let schemas = schemas.map(|schema| format!("schema {schema}, or objects in it"));
    let outside = role.outside.iter().filter(|found| matches!(found.held, Holding::Owned));
    let outside = outside.map(|found| format!("{} {}", found.kind, found.identity));
    let owns: Vec<String> = schemas.chain(outside).collect();
    if owns.is_empty() {
        return Ok(());
    }
    let owns: Vec<&str> = owns.iter().map(String::as_str).collect();
    Err(Blocked::new(
        format!("role {name:?} owns more than this tenant's schema: {}", few(&owns)),
        "set another name for the tenant's role, which is then created; or give what it owns elsewhere to another role: ALTER … OWNER TO",
    ))
}

/// Who is no superuser cannot take anything from one.
fn may_be_handed_over(facts: &Facts<'_>, adoption: &Adoption) -> Result<(), Blocked> {
    let observed = facts.fleet.observed;
    if observed.server.admin.superuser {
        return Ok(());
    }
    let schema = observed.schemas.get(&facts.tenant.schema);
    let objects = schema.into_iter().flat_map(|schema| schema.objects.iter().map(|group| &group.owner));
    let owners = schema.map(|schema| &schema.owner).into_iter().chain(objects).chain(&adoption.history_owner);
    let is_superuser =
        |owner: &&String| observed.roles.get(*owner).is_some_and(|role| role.powers.contains("SUPERUSER"));
    let Some(owner) = owners.into_iter().find(is_superuser) else { return Ok(()) };
    let admin = &observed.server.admin.name;
    Err(Blocked::new(
        format!(
            "schema {:?}, or what is in it, belongs to the superuser {owner}, and {admin} is not a superuser",
            facts.tenant.schema
        ),
        format!(
            "adopt it as a superuser; or give the schema and what is in it to another role: ALTER SCHEMA {} OWNER TO {}",
            ident(&facts.tenant.schema),
            ident(admin)
        ),
    ))
}

/// A program that logs in as one role for all tenants reaches this one no more; nor does one that was granted it, unless what
/// was added by hand stays.
fn warn_of_lost_access(facts: &Facts<'_>, findings: &mut Findings) {
    let (tenant, fleet) = (facts.tenant, facts.fleet);
    let Some(schema) = fleet.observed.schemas.get(&tenant.schema) else { return };
    let stays = |role: &str| {
        let found = fleet.observed.roles.get(role);
        role == tenant.username
            || role == tenant.owner()
            || role == fleet.observed.server.admin.name
            || found.is_some_and(|role| role.powers.contains("SUPERUSER"))
    };
    let owners = schema.objects.iter().map(|group| group.owner.as_str()).chain([schema.owner.as_str()]);
    let granted = schema.acl.entries().filter(|_| !facts.keeps_extras()).filter_map(|entry| match entry.grantee {
        Grantee::Role(role) => Some(role.as_str()),
        Grantee::Public => None,
    });
    let lose: BTreeSet<&str> = owners.chain(granted).filter(|role| !stays(role)).collect();
    let lose: Vec<&str> = lose.into_iter().collect();
    if lose.is_empty() {
        return;
    }
    findings.hazard(
        HazardKind::LosesAccess,
        format!(
            "{} can use schema {} now, and no more afterwards: programs that log in as such a role must log in as {}",
            few(&lose),
            tenant.schema,
            tenant.username
        ),
    );
}

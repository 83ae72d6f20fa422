//! The two users that log in for a tenant in turn: members of its username, as which they act, and with its settings. The username
//! itself has the privileges, and logs in no more.

use super::{membership, outside, rename, role, settings};
use crate::core::model::{PasswordSource, Role, Rotation, SecretState, State};
use crate::core::plan::action::{BorrowRights, Change, CreateRole, HandOver, ReturnRights, Rights, Whose};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::holds;
use crate::core::plan::tenant_plan::Blocked;

/// # Errors
/// When one of their names is taken, or something keeps one that is to go.
pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    is_ours(facts)?;
    stays_called(facts)?;
    stays_where_it_is(facts)?;
    for user in facts.tenant.login_users() {
        one(facts, findings, &user)?;
    }
    if facts.tenant.rotation == Rotation::Single {
        leave(facts, findings)?;
    }
    Ok(())
}

/// Whoever logs in with a password that nobody told us is not to be locked out.
fn is_ours(facts: &Facts<'_>) -> Result<(), Blocked> {
    let key = &facts.tenant.key;
    let is_kept = facts.registered.is_some_and(|row| row.password_source == PasswordSource::Kept);
    match facts.tenant.rotation {
        Rotation::TwoUser if facts.adoption.is_some() => Err(Blocked::new(
            "it cannot be adopted and get two users at once",
            "set rotation = \"single\", adopt it, and set \"two-user\" then",
        )),
        Rotation::TwoUser if is_kept => Err(Blocked::new(
            format!(
                "role {:?} keeps a password that tenantry does not know, and there is no secret to switch",
                facts.tenant.username
            ),
            format!(
                "set rotation = \"single\"; replace the password and write a secret, which clients must read then: tenantry rotate {key}; and set \"two-user\" then"
            ),
        )),
        _ => Ok(()),
    }
}

/// A user that is renamed is one that the secret names and that nobody can log in as.
fn stays_called(facts: &Facts<'_>) -> Result<(), Blocked> {
    let tenant = facts.tenant;
    let Some(row) = facts.registered.filter(|row| row.username != tenant.username) else { return Ok(()) };
    match (row.rotation, tenant.rotation) {
        (Rotation::Single, Rotation::Single) => Ok(()),
        (Rotation::Single, Rotation::TwoUser) => Err(Blocked::new(
            format!("its username and its rotation cannot change at once: the secret names {:?}", row.username),
            "set rotation = \"single\", apply the new username, and set \"two-user\" then",
        )),
        (Rotation::TwoUser, _) => Err(Blocked::new(
            format!("its username cannot change from {:?} while two users of that name log in for it", row.username),
            format!(
                "keep username = {:?}, set rotation = \"single\", and apply; then change the username, and apply; then set \"two-user\" again",
                row.username
            ),
        )),
    }
}

/// The secret that names another user from now on is the one that clients read, and we saw whom it names.
fn stays_where_it_is(facts: &Facts<'_>) -> Result<(), Blocked> {
    let (tenant, logins) = (facts.tenant, &facts.logins);
    let secrets = &facts.fleet.desired.secrets;
    let is_another = !logins.users.is_empty() && logins.named.as_ref().is_some_and(|named| *named != logins.login);
    let Some(row) = facts.registered.filter(|row| is_another && row.state == State::Active) else { return Ok(()) };
    let stays = row.secret.path == tenant.secret_path && row.secret.store == secrets.store.as_str();
    if !stays {
        return Err(Blocked::new(
            "its secret cannot move to another place and name another user at once",
            format!(
                "set rotation = \"{}\", apply the new place of the secret, and change the rotation then",
                row.rotation.as_str()
            ),
        ));
    }
    if matches!(facts.fleet.observed.secrets.get(&tenant.secret_path), Some(SecretState::Unseen)) {
        return Err(Blocked::new(
            format!("its secret is to name {} and no longer another user, and it may not be read", logins.login),
            "plan with a token that may read the secrets",
        ));
    }
    Ok(())
}

/// One of the two, as it is to be.
///
/// # Errors
/// When its name is somebody else's.
pub(in crate::core::plan) fn one(facts: &Facts<'_>, findings: &mut Findings, user: &str) -> Result<(), Blocked> {
    let tenant = facts.tenant;
    let found = facts.fleet.observed.roles.get(user);
    let is_its = facts.registered.is_some_and(|row| row.login_users().iter().any(|known| known == user));
    match found {
        Some(_) if !is_its => return Err(rename::taken(facts, "role", user)),
        Some(found) => role::attributes(facts, findings, Whose::Login, user, found),
        None => findings.change(CreateRole {
            role: user.to_owned(),
            login: user == facts.logins.login,
            suspended: tenant.suspended,
            connection_limit: tenant.connection_limit,
        }),
    }
    let absent = Role::default();
    let role = found.unwrap_or(&absent);
    membership::of_login(facts, findings, user, role);
    settings::of_login(facts, findings, user, role);
    outside::one_role(facts, findings, user, found);
    Ok(())
}

/// The two go, when no secret names them any more. What they own by SET ROLE NONE becomes the username's.
fn leave(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let (fleet, tenant) = (facts.fleet, facts.tenant);
    let there = |user: &&String| fleet.observed.roles.contains_key(*user);
    let users: Vec<String> = facts.logins.users.iter().filter(there).cloned().collect();
    if users.is_empty() {
        return Ok(());
    }
    findings.hazard(HazardKind::EndsSessions, format!("sessions of {} are ended", users.join(", ")));
    let lent: Vec<&str> = users.iter().map(String::as_str).chain([tenant.username.as_str()]).collect();
    for released in holds::release(fleet, &users, &lent)? {
        findings.change(released);
    }
    let drops = users.iter().map(|user| {
        let hand_over = HandOver { to: tenant.username.clone(), schema: tenant.schema.clone() };
        Change::from(holds::drop(fleet, Whose::Login, user, Some(hand_over)))
    });
    if !facts.logins.switches {
        // With the rights that the transaction borrows.
        findings.changes.extend(drops);
        return Ok(());
    }
    let rights = Rights::lacking(fleet.observed, &lent.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>());
    findings.then.extend(rights.clone().map(|rights| BorrowRights(rights).into()));
    findings.then.extend(drops);
    findings.then.extend(rights.map(|rights| ReturnRights { rights, dropped: users.clone() }.into()));
    Ok(())
}

//! The tenant's secret: where it is, whose it is, whether its words are current, and where the password comes from.
//!
//! The secret store holds the password of record; PostgreSQL is converged to it.

pub(super) use super::password::Secret;
use super::password::{Decision, Known};
use super::{adoption, role};
use crate::core::model::{
    Belongs, Delivered, FormerSecret, PasswordSource, Registered, RegisteredSecret, Rotation, SecretContents,
    SecretFields, SecretState, SslMode, State, StoreKind,
};
use crate::core::plan::action::{DeleteSecret, ForgetSecret, SecretBefore, WhichPassword, WriteSecret};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::fleet::Fleet;
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::phases::AfterCommit;
use crate::core::plan::tenant_plan::{Blocked, PasswordOrigin};

/// Plans the secret and the password; says where apply takes the password from, and the version there is.
///
/// # Errors
/// When the secret at the tenant's path is somebody else's, or nobody could log in with its password.
pub(in crate::core::plan) fn decide(
    facts: &Facts<'_>,
    findings: &mut Findings,
) -> Result<(PasswordOrigin, Option<String>), Blocked> {
    let (tenant, fleet) = (facts.tenant, facts.fleet);
    if is_kept(facts) {
        return Ok((PasswordOrigin::Kept, None));
    }
    if fleet.desired.secrets.store == StoreKind::Returned {
        let is_new = facts.registered.is_none() && tenant.password.is_some();
        return Ok((if is_new { PasswordOrigin::Given } else { PasswordOrigin::Kept }, None));
    }
    // Of a registered tenant: as it was. Of a new one: none, and apply refuses to find out.
    if let (Some(SecretState::Unseen), Some(row)) = (fleet.observed.secrets.get(&tenant.secret_path), facts.registered)
    {
        return Ok((PasswordOrigin::Untouched, row.secret.version.clone()));
    }
    let (found, wanted) = (ours_at(facts, &tenant.secret_path)?, fields(facts));
    leads_here(facts, found.as_ref(), &wanted)?;
    if fleet.observed.delivered.get(&tenant.key) == Some(&Delivered::OpensByMd5) {
        findings.note("password", "its verifier is md5: the same password gets a SCRAM-SHA-256 one");
    }
    let known = Known::of(facts, found.as_ref(), &wanted);
    let Decision { password, write, which } = known.decide()?;
    if let Some(which) = which.filter(|_| facts.login_role().is_some()) {
        role::set_password(facts, findings, which);
        let is_new = matches!(password, PasswordOrigin::Given | PasswordOrigin::Generated);
        if known.registered.is_some() && !facts.logins.switches && is_new {
            role::warn_of_new_password(findings);
        }
    }
    if write {
        warn_of_another_place(findings, known.registered, &wanted);
        warn_of_weaker_tls(findings, found.as_ref(), known.registered, &wanted);
        deliver(facts, findings, writing(facts, found.as_ref(), known.remembered));
    }
    if let Some(row) = known.moved.filter(|row| row.secret.store == fleet.desired.secrets.store.as_str()) {
        findings.after.extend(deletion(fleet, &row.secret.path));
    }
    findings.after.extend(facts.registered.into_iter().flat_map(|row| former(fleet, row)));
    Ok((password, found.map(|secret| secret.version.to_owned())))
}

/// Of a tenant we know nothing of there may be a secret that leads elsewhere: another cluster's, of the same names.
fn leads_here(facts: &Facts<'_>, found: Option<&Secret<'_>>, wanted: &SecretFields) -> Result<(), Blocked> {
    let contents = found.and_then(Secret::contents).filter(|_| facts.registered.is_none());
    let Some(SecretContents { fields, .. }) = contents.filter(|_| !facts.fleet.observed.moved) else { return Ok(()) };
    if (&fields.host, fields.port) == (&wanted.host, wanted.port) {
        return Ok(());
    }
    Err(Blocked::new(
        format!(
            "the secret at {} belongs to someone else: it points to {}:{}",
            facts.tenant.secret_path, fields.host, fields.port
        ),
        "set another [secrets] path or [vault] mount for this cluster; tenantry overwrites nothing it did not write",
    ))
}

fn warn_of_another_place(findings: &mut Findings, registered: Option<&Registered>, wanted: &SecretFields) {
    let Some(known) = registered.map(|row| &row.secret.fields) else { return };
    if (&known.host, known.port) == (&wanted.host, wanted.port) {
        return;
    }
    findings.hazard(
        HazardKind::ChangesCredentials,
        format!(
            "the secret will point to {}:{} instead of {}:{}; if that is only how this run connects (a tunnel), or changes on failover, set [database] advertise",
            wanted.host, wanted.port, known.host, known.port
        ),
    );
}

/// The tenant's own from before it was adopted, as long as there is a role to log in as, and nobody gives another.
fn is_kept(facts: &Facts<'_>) -> bool {
    let row = facts.registered.filter(|row| row.state == State::Active && row.password_source == PasswordSource::Kept);
    row.is_some() && facts.tenant.password.is_none() && facts.current.role.is_some_and(adoption::has_password)
}

/// Clients do what the url says, and nobody sees that they encrypt no more, or no longer ask whose server it is.
fn warn_of_weaker_tls(
    findings: &mut Findings,
    found: Option<&Secret<'_>>,
    registered: Option<&Registered>,
    wanted: &SecretFields,
) {
    let contents = found.and_then(Secret::contents).map(|contents| &contents.fields);
    let known = contents.or(registered.map(|row| &row.secret.fields)).and_then(|fields| fields.sslmode);
    let (Some(known), Some(wanted)) = (known, wanted.sslmode) else { return };
    if wanted >= known {
        return;
    }
    let then = match wanted {
        SslMode::Disable => "clients will not encrypt: passwords are safe, and what they send and read is not",
        SslMode::Allow | SslMode::Prefer => "clients will not encrypt if an attacker in between prevents it",
        _ => "clients will verify the server less strictly",
    };
    findings
        .hazard(HazardKind::WeakerTls, format!("the secret will say sslmode {wanted} and no longer {known}: {then}"));
}

/// A new password and its secret, whatever PostgreSQL and the store hold now.
///
/// # Errors
/// When the secret at the tenant's path is somebody else's.
pub(in crate::core::plan) fn renew(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    if facts.fleet.desired.secrets.store == StoreKind::Returned {
        role::set_password(facts, findings, WhichPassword::Given);
        return Ok(());
    }
    let found = ours_at(facts, &facts.tenant.secret_path)?;
    role::set_password(facts, findings, WhichPassword::Generated);
    if !facts.logins.switches {
        role::warn_of_new_password(findings);
    }
    let remembered = facts.registered.map(|row| &row.secret);
    deliver(facts, findings, writing(facts, found.as_ref(), remembered));
    Ok(())
}

/// Just before COMMIT; or after it, when whoever the secret names now can log in until then, and the other only from then on.
fn deliver(facts: &Facts<'_>, findings: &mut Findings, write: WriteSecret) {
    match facts.logins.named.as_ref().filter(|_| facts.logins.switches) {
        Some(named) => {
            let is_turned = facts.logins.users.contains(named) && facts.tenant.rotation == Rotation::TwoUser;
            let still = if is_turned && !facts.tenant.suspended {
                format!("; {named} can log in until the next rotation")
            } else {
                String::new()
            };
            findings.hazard(
                HazardKind::ChangesCredentials,
                format!(
                    "clients must read the secret again: it will name {} and no longer {named}{still}",
                    facts.logins.login
                ),
            );
            findings.switch = Some(write);
        }
        None => findings.secret = Some(write),
    }
}

/// The secret at the tenant's path, if there is one and it can be seen.
pub(super) fn ours_at<'a>(facts: &Facts<'a>, path: &str) -> Result<Option<Secret<'a>>, Blocked> {
    let fleet = facts.fleet;
    // At a new path it is as foreign as to a new tenant.
    let is_named = facts.registered.is_some_and(|row| row.secret.path == path && row.secret.version.is_some());
    match fleet.observed.secrets.get(path) {
        Some(SecretState::Ours { belongs, .. }) if !fleet.may_take(belongs, is_named) => Err(Blocked::new(
            anothers(fleet, path, belongs),
            "if that database is in use: set another [secrets] path or [vault] mount for this one   if this one has taken its place: tenantry apply --moved",
        )),
        Some(SecretState::Foreign(why)) => Err(Blocked::new(
            format!("the secret at {path} belongs to someone else: {why}"),
            "move that secret elsewhere, or set another [secrets] path; tenantry overwrites nothing it did not write",
        )),
        Some(state @ SecretState::Ours { version, .. }) => Ok(Some(Secret { version, state })),
        None | Some(SecretState::Unseen) => Ok(None),
    }
}

/// A tenant whose secret is another database's is served by that one, and this may be a copy, or what it was moved from.
///
/// # Errors
/// When it is, unless a person has said that the database moved here.
pub(in crate::core::plan) fn unclaimed(fleet: &Fleet<'_>, row: &Registered) -> Result<(), Blocked> {
    let (path, is_here) = (&row.secret.path, row.secret.store == fleet.desired.secrets.store.as_str());
    match fleet.observed.secrets.get(path).filter(|_| is_here) {
        Some(SecretState::Ours { belongs, .. }) if !fleet.may_take(belongs, true) => Err(Blocked::new(
            anothers(fleet, path, belongs),
            "if that database has taken this one's place, remove the tenant there, and apply here no more   if this one is the one that the secrets are for: tenantry apply --moved",
        )),
        _ => Ok(()),
    }
}

fn anothers(fleet: &Fleet<'_>, path: &str, belongs: &Belongs) -> String {
    format!("the secret at {path} is another database's: it carries {}", mark_of(fleet, belongs))
}

fn mark_of(fleet: &Fleet<'_>, belongs: &Belongs) -> String {
    let own = fleet.observed.registry.as_ref().and_then(|registry| registry.home.as_ref());
    let own = own.map(|home| format!(", and this registry is {}", home.fleet)).unwrap_or_default();
    match belongs {
        Belongs::AnotherFleet(mark) => format!("the fleet {}{own}", mark.fleet.as_deref().unwrap_or_default()),
        _ => format!("an earlier identity of this registry{own}"),
    }
}

/// `remembered`: as it was written last.
pub(super) fn writing(
    facts: &Facts<'_>,
    found: Option<&Secret<'_>>,
    remembered: Option<&RegisteredSecret>,
) -> WriteSecret {
    WriteSecret {
        path: facts.tenant.secret_path.clone(),
        expected: found.map(|secret| secret.version.to_owned()),
        before: found.map(|secret| before(remembered.map(|known| &known.fields), secret)),
        fields: fields(facts),
    }
}

/// Deletes what earlier applies, interrupted after COMMIT, left at other paths: ours still, and nobody's again.
pub(in crate::core::plan) fn former(fleet: &Fleet<'_>, row: &Registered) -> Vec<AfterCommit> {
    let policy = &fleet.desired.secrets;
    let here = |former: &&FormerSecret| former.store == policy.store.as_str() && former.place == policy.place();
    let is_used = |path: &str| {
        fleet.desired.tenants.values().any(|tenant| tenant.secret_path == path)
            || fleet.registered().any(|(_, row)| row.secret.path == path)
    };
    let formers = row.former_secrets.iter().filter(here).filter(|former| !is_used(&former.path));
    formers
        .filter_map(|former| match fleet.observed.secrets.get(&former.path) {
            Some(_) => {
                fleet.own_secret(&former.path).filter(|version| **version == former.version)?;
                deletion(fleet, &former.path)
            }
            // Deleted, and the connection was cut before that was noted.
            None => Some(AfterCommit::ForgetSecret(ForgetSecret(former.clone()))),
        })
        .collect()
}

/// Of a secret that is no longer a tenant's; nothing when it is not there, or somebody else's.
pub(in crate::core::plan) fn deletion(fleet: &Fleet<'_>, path: &str) -> Option<AfterCommit> {
    let expected = fleet.own_secret(path)?.clone();
    Some(AfterCommit::DeleteSecret(DeleteSecret { path: path.to_owned(), expected }))
}

/// What the tenant's secret has to say, but for the password.
pub(in crate::core::plan) fn fields(facts: &Facts<'_>) -> SecretFields {
    let (desired, observed) = (facts.fleet.desired, facts.fleet.observed);
    let remembered = facts.registered.map(|row| &row.secret.fields);
    let fields = desired.secret_fields(facts.tenant, &observed.server, &observed.database.name, remembered);
    SecretFields { username: facts.logins.login.clone(), ..fields }
}

fn before(registered: Option<&SecretFields>, secret: &Secret<'_>) -> SecretBefore {
    match (secret.contents(), registered) {
        (Some(contents), _) if !contents.url_says_the_same => SecretBefore::WithAnotherUrl(contents.fields.clone()),
        (Some(SecretContents { fields, .. }), _) | (None, Some(fields)) => SecretBefore::Says(fields.clone()),
        (None, None) => SecretBefore::Version(secret.version.to_owned()),
    }
}

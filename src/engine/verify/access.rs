//! Who may read the secret in Vault: tried with the tenant's own AppRole.

use super::context::Verify;
use crate::core::model::{Readable, Tenant, VaultObject};
use crate::core::verdict::{Answer, Check, Ruling};
use crate::engine::error::error_chain;
use crate::engine::secrets::{AccessStore, SecretError};

/// How many other secrets each tenant tries to read.
const NEIGHBOURS: usize = 3;

/// None where no AppRole is declared: by Kubernetes only a pod logs in.
pub(super) fn checks(verify: &Verify<'_>, tenant: &Tenant) -> Vec<Check> {
    let logins = &verify.logins;
    let (Some(declared), Some(access)) = (logins.desired.secrets.access(), logins.store.access()) else {
        return Vec::new();
    };
    let secret = Readable { tenant: &tenant.key, database: &logins.observed.database.name, path: "" };
    let roles = declared.of(secret).into_iter().map(|(object, _)| object);
    let Some(role) = roles.into_iter().find(|object| matches!(object, VaultObject::AppRole { .. })) else {
        return Vec::new();
    };
    let what = |what: &str| format!("{what}, logged in with {role}");
    match tried(verify, access, tenant, &role) {
        Ok((own, others)) => {
            let mut checks = vec![check(what("read its own secret"), own, own, "its policy does not let it")];
            checks.extend(others.into_iter().map(|(path, may)| {
                let verb = if path.ends_with('/') { "list" } else { "read" };
                check(what(&format!("may not {verb} {path}")), !may, may, "it was not refused")
            }));
            checks
        }
        // The role is not there.
        Err(SecretError::Other { status: 404, .. }) => {
            let detail = Some("there is none; tenantry apply makes it".to_owned());
            vec![Check::new(what("read its own secret"), Ruling::Wrong, detail)]
        }
        Err(error) => {
            let check = Check::new(what("read its own secret"), Ruling::Open, Some(error_chain(&error)));
            vec![Check { answer: Some(Answer::NotTried), ..check }]
        }
    }
}

fn check(what: String, is_right: bool, may: bool, wrong: &str) -> Check {
    let ruling = if is_right { Ruling::Right } else { Ruling::Wrong };
    let answer = if may { Answer::Allowed } else { Answer::NoPrivilege };
    Check { answer: Some(answer), ..Check::new(what, ruling, (!is_right).then(|| wrong.to_owned())) }
}

type Tried = (bool, Vec<(String, bool)>);

fn tried(
    verify: &Verify<'_>,
    access: &dyn AccessStore,
    tenant: &Tenant,
    role: &VaultObject,
) -> Result<Tried, SecretError> {
    let at = access.secrets_at()?;
    let tenants = &verify.logins.desired.tenants;
    let after = tenants.range(&tenant.key..).chain(tenants.range(..&tenant.key)).skip(1);
    let mut paths: Vec<String> = vec![format!("{at}/{}", tenant.secret_path)];
    paths.extend(after.take(NEIGHBOURS).map(|(_, other)| format!("{at}/{}", other.secret_path)));
    let folder = tenant.secret_path.rsplit_once('/').map_or("", |(folder, _)| folder);
    paths.push(format!("{}/{folder}", access.lists_at()?).trim_end_matches('/').to_owned() + "/");
    let mut read = access.try_role(role, &paths)?.into_iter();
    let own = read.next().unwrap_or_default();
    Ok((own, paths.into_iter().skip(1).zip(read).collect()))
}

//! Which KV engine is at the mount.

use vaultrs::api;

use super::endpoints::{self, Mount};
use super::session::{Access, PROBE, Refusal, Session};
use crate::engine::secrets::SecretError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    V1,
    V2,
}

/// Asks the server. A server that hides its mounts from the token is taken to have version 2, the default since 2018;
/// the first request then tells.
pub(super) fn kind(session: &Session, mount: &str) -> Result<Kind, SecretError> {
    let asked = format!("sys/internal/ui/mounts/{mount}");
    let access = Access { path: &asked, capability: PROBE };
    let visible =
        session.call(access, async |client| api::exec_with_result(client, endpoints::visible_mount(mount)).await)?;
    match visible {
        Ok(found) => judge(mount, &found),
        Err(refusal) if refusal.code == 403 && refusal.says("preflight capability check") => unseen(session, mount),
        Err(refusal) => {
            tracing::debug!(?refusal, "the mounts cannot be listed; assuming that \"{mount}\" is KV version 2");
            Ok(Kind::V2)
        }
    }
}

/// Either there is no such mount, or the token may do nothing below it. Administrators can tell.
fn unseen(session: &Session, mount: &str) -> Result<Kind, SecretError> {
    let asked = format!("sys/mounts/{mount}");
    let access = Access { path: &asked, capability: PROBE };
    match session.call(access, async |client| api::exec_with_result(client, endpoints::mount(mount)).await)? {
        Ok(found) => judge(mount, &found),
        Err(Refusal { code: 400 | 404, .. }) => wrong(mount, "there is no such mount"),
        Err(_) => wrong(mount, "there is no such mount, or the token's policy allows nothing below it"),
    }
}

fn judge(mount: &str, found: &Mount) -> Result<Kind, SecretError> {
    // Asked for "secret/apps", the server answers with the mount that holds it.
    if let Some(path) = found.path.as_deref().map(|path| path.trim_matches('/'))
        && path != mount
    {
        return wrong(mount, &format!("the mount is \"{path}\"; the rest belongs in [secrets] path"));
    }
    if found.kind != "kv" && found.kind != "generic" {
        return wrong(mount, &format!("there is an engine of type \"{}\"", found.kind));
    }
    let version = found.options.as_ref().and_then(|options| options.get("version"));
    match version.and_then(|version| version.as_str()) {
        Some("2") => Ok(Kind::V2),
        None | Some("1" | "") => Ok(Kind::V1),
        Some(other) => wrong(mount, &format!("it is KV version {other}, not 1 or 2")),
    }
}

fn wrong(mount: &str, reason: &str) -> Result<Kind, SecretError> {
    Err(SecretError::WrongMount { mount: mount.to_owned(), reason: reason.to_owned() })
}

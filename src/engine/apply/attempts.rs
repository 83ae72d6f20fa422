//! The tries of a tenant, or of those whose names are swapped.

use postgres::Client;

use super::context::Apply;
use super::failure::{Ended, Retry, rolled_back};
use super::session::{clean, connected};
use crate::core::report::{Failed, Outcome};
use crate::engine::retry::retry;

/// Tries until it succeeds or another try would not help. `used`: code of a tenant's runs in this session.
pub(super) fn attempts<T>(
    apply: &Apply<'_>,
    slot: &mut Option<Client>,
    used: bool,
    once: impl Fn(&mut Client) -> Result<T, Ended>,
) -> Result<T, Failed> {
    let attempt = || {
        let client = connected(apply, slot).map_err(rolled_back)?;
        let result = once(client);
        // Temporary tables, settings and prepared names of a tenant's making go.
        if (used || result.is_err()) && clean(client).is_err() {
            *slot = None;
        }
        result
    };
    let again = |ended: &Ended| matches!(ended, Ended::Failed(_, Retry::Yes)) && !apply.underway.is_cancelled();
    retry(attempt, again).map_err(|ended| match ended {
        Ended::Failed(error, _) => Failed { outcome: Outcome::Failed, error, archive: None },
        Ended::Unknown(error) => Failed { outcome: Outcome::Unknown, error, archive: None },
    })
}

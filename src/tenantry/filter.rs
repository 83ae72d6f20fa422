//! Which tenants are looked at.

use globset::{Glob, GlobMatcher};

use super::error::{Guard, Refusal};
use crate::core::model::TenantKey;

/// [`Options::targets`](super::Options::targets): none selects all.
#[derive(Clone, Debug)]
pub(super) struct Filter(Vec<GlobMatcher>);

impl Filter {
    pub fn new(globs: &[String]) -> Result<Self, Refusal> {
        let matcher = |glob: &String| match Glob::new(glob) {
            Ok(glob) => Ok(glob.compile_matcher()),
            Err(error) => {
                let why = error.kind().to_string();
                let message = format!("the target {glob:?} is not a valid glob: {why}");
                Err(Refusal::new(Guard::Glob { glob: glob.clone(), why }, message, "write it as acme-*"))
            }
        };
        globs.iter().map(matcher).collect::<Result<_, _>>().map(Self)
    }

    pub fn selects(&self, key: &TenantKey) -> bool {
        self.0.is_empty() || self.0.iter().any(|glob| glob.is_match(key.as_str()))
    }

    /// A database moves as a whole.
    pub fn may_move(&self, moved: bool) -> Result<(), Refusal> {
        if !moved || self.0.is_empty() {
            return Ok(());
        }
        let message = "that the database has moved applies to the whole of it: no targets can be given";
        Err(Refusal::new(Guard::MovedAsAWhole, message, "name no targets"))
    }

    /// A glob with a typing error must not pass for tenants that are as they should be.
    pub fn matches_some<'k>(&self, keys: impl Iterator<Item = &'k TenantKey> + Clone) -> Result<(), Refusal> {
        let idle = self.0.iter().find(|glob| !keys.clone().any(|key| glob.is_match(key.as_str())));
        idle.map_or(Ok(()), |glob| {
            let glob = glob.glob().glob().to_owned();
            let message = format!("the target {glob:?} matches no tenant");
            Err(Refusal::new(Guard::MatchesSome { glob }, message, "tenantry list shows the keys"))
        })
    }

    /// Of what is about one tenant: the targets limit that too.
    pub fn must_select(&self, key: &TenantKey) -> Result<(), Refusal> {
        if self.selects(key) {
            return Ok(());
        }
        let message = format!("the targets leave out tenant {key}");
        let guard = Guard::Selected { tenant: key.clone() };
        Err(Refusal::new(guard, message, "add it to the targets, or name none"))
    }
}

//! What a caller says beyond the file.

use std::fmt;
use std::time::Duration;

use super::interrupt::Interrupt;

/// How to look, and at what.
#[derive(Clone, Default)]
pub struct Options {
    /// The database, before `TENANTRY_DATABASE_URL` and `[database] url`. May hold a password: Debug leaves it out.
    pub database_url: Option<String>,
    /// Globs of the keys of the tenants to look at; none: all.
    pub targets: Vec<String>,
    /// Connections to work on at the same time; `None`: the smaller of 8 and twice the number of cores.
    pub parallelism: Option<usize>,
    /// How long to wait for another apply on the same database.
    pub lock_timeout: Duration,
    /// Try each delivered password, and compare each schema's shape with what the migrations create.
    pub deep: bool,
    /// Plan as if this database, which came from another cluster or address, were now the one that its secrets are for. To apply
    /// such a plan takes [`Consent::Moved`](super::Consent::Moved).
    pub moved: bool,
    /// Measure every schema on disk, and not only those of tenants to be removed.
    pub sizes: bool,
    /// Stops what is running; keep a clone of it.
    pub interrupt: Interrupt,
}

impl Options {
    pub(super) fn parallelism(&self) -> usize {
        let by_cores = || std::thread::available_parallelism().map_or(4, |cores| (2 * cores.get()).min(8));
        self.parallelism.unwrap_or_else(by_cores).max(1)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database_url, targets, parallelism, lock_timeout, deep, moved, sizes, interrupt } = self;
        f.debug_struct("Options")
            .field("database_url", &database_url.as_ref().map(|_| "…"))
            .field("targets", targets)
            .field("parallelism", parallelism)
            .field("lock_timeout", lock_timeout)
            .field("deep", deep)
            .field("moved", moved)
            .field("sizes", sizes)
            .field("interrupt", interrupt)
            .finish()
    }
}

/// What three tenants stumble over in the same place, the other hundreds will too; one may be a tenant of its own kind.
pub const MAX_FAILURES: usize = 3;

/// How a plan is carried out.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Start no more tenants once so many have failed with the same error; 0: continue whatever fails.
    pub max_failures: usize,
    /// End sessions of tenants that keep it waiting for a lock; never those of other roles.
    pub end_blockers: bool,
    /// For hints, what to type to have those sessions ended; `None`: hints name no command for it.
    pub to_end_blockers: Option<String>,
    /// The same of a restore, once the data are in: what is left to do then, apply does.
    pub to_end_blockers_afterwards: Option<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_failures: MAX_FAILURES,
            end_blockers: false,
            to_end_blockers: None,
            to_end_blockers_afterwards: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_url_is_in_no_debug_output() {
        let url = Some("postgresql://admin:hush@db/app".to_owned());
        let text = format!("{:?}", Options { database_url: url, targets: vec!["a*".into()], ..Options::default() });
        assert!(!text.contains("hush") && text.contains("a*"), "{text}");
    }
}

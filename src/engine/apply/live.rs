//! An archive of a tenant in use: a consistent snapshot, whatever is written in the meantime.

use std::path::Path;

use postgres::{Client, IsolationLevel};

use super::context::Apply;
use super::watch::alone;
use crate::core::model::{Observed, Subject};
use crate::core::plan::{self, DatabaseIdentity};
use crate::engine::archive::{Archive, Deputy, Errand, Programs, Source, dump};
use crate::engine::error::{Context, Error};
use crate::engine::registry;

/// What archiving a tenant takes.
pub struct Live<'a> {
    pub apply: &'a Apply<'a>,
    pub observed: &'a Observed,
    pub programs: &'a Programs,
    pub subject: &'a Subject,
}

impl Live<'_> {
    /// On the session that holds the lock of apply.
    ///
    /// # Errors
    /// What PostgreSQL, pg_dump or the file system answered; then no file and no role is left.
    pub fn run(&self, client: &mut Client) -> Result<Archive, Error> {
        let tenant = self.subject.tenant.as_str();
        alone(self.apply, (tenant, "archive"), client, |client| self.archive(client))
    }

    fn archive(&self, client: &mut Client) -> Result<Archive, Error> {
        let Apply { target, desired, .. } = self.apply;
        let (server, tenant) = (&self.observed.server, &self.subject.tenant);
        let database = DatabaseIdentity::new(server, &self.observed.database.name);
        let preamble = [desired.limits_waits(), registry::guard::check()].join("; ");
        let roles = self.subject.roles();
        let deputy = Deputy::appoint(client, target, server, tenant, &roles, Errand::Dump, &preamble)?;
        self.apply.underway.deputy(tenant.as_str(), &deputy.name);
        let source = Source {
            subject: self.subject,
            database,
            deputy: &deputy,
            programs: self.programs,
            target,
            server,
            desired,
        };
        let result = self.dump(client, &source, self.apply.archive_dir);
        let dismissed = deputy.dismiss(client, server, tenant);
        let archive = result?;
        dismissed?;
        Ok(archive)
    }

    /// Reading needs the tenant's rights and changes nothing, so they go back with a ROLLBACK.
    fn dump(&self, client: &mut Client, source: &Source<'_>, dir: &Path) -> Result<Archive, Error> {
        let doing = "reading what is to be archived";
        let isolation = IsolationLevel::RepeatableRead;
        let mut transaction = client.build_transaction().isolation_level(isolation).start().doing(doing)?;
        // A tenant that keeps a table locked must not keep anybody waiting forever.
        transaction.batch_execute(&self.apply.desired.limits_waits()).doing(doing)?;
        let [take, _] = plan::borrowed(self.observed, &self.subject.roles());
        transaction.batch_execute(&take).doing(doing)?;
        let archive = dump(&mut transaction, source, dir);
        transaction.rollback().doing(doing)?;
        archive
    }
}

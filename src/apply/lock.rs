//! One apply per database: a session advisory lock, proved to be held.

use postgres::Client;

use crate::error::{Doing, Error};
use crate::registry::LOCK_KEY as KEY;

/// Held until its session ends.
#[derive(Debug)]
pub struct Lock(());

impl Lock {
    /// # Errors
    /// Who holds it, from where, since when; or that the session is not our own (a transaction pooler).
    pub fn take(client: &mut Client) -> Result<Self, Error> {
        let taken: bool =
            client.query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&KEY]).doing("taking the lock")?.get(0);
        if !taken {
            return Err(Self::held_by_another(client));
        }
        // Behind a transaction pooler the next statement may run in another session, and the lock means nothing.
        let held = client
            .query_opt(
                "SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() \
                 AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
                 AND (classid::int8 << 32) | objid::int8 = $1 AND objsubid = 1 AND granted",
                &[&KEY],
            )
            .doing("making sure of the lock")?;
        if held.is_none() {
            return Err(Error::refused(
                "the lock just taken is not there: the connection goes through a transaction pooler",
                "connect apply to PostgreSQL itself, or to a pool in session mode",
            ));
        }
        Ok(Self(()))
    }

    fn held_by_another(client: &mut Client) -> Error {
        let holder = client.query_opt(
            "SELECT a.usename::text, coalesce(a.client_addr::text, 'a local socket'), a.application_name, \
             pg_catalog.to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'), a.pid, a.usename = current_user \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::int8 << 32) | l.objid::int8 = $1 \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) LIMIT 1",
            &[&KEY],
        );
        let Ok(Some(row)) = holder else {
            return Error::refused(
                "another apply is at work on this database: a session that has just ended",
                "wait until it is done, and run this again",
            );
        };
        let pid: i32 = row.get(4);
        let user = row.get::<_, Option<String>>(0).unwrap_or_default();
        let who = format!(
            "{user} from {} ({}, backend {pid}) since {}",
            row.get::<_, String>(1),
            row.get::<_, Option<String>>(2).unwrap_or_default(),
            row.get::<_, Option<String>>(3).unwrap_or_default(),
        );
        if row.get::<_, Option<bool>>(5) == Some(true) {
            return Error::refused(
                format!("another apply is at work on this database: {who}"),
                "wait until it is done, and run this again",
            );
        }
        // Advisory locks are anybody's to take: a tenant can, to keep its fleet from being changed.
        Error::refused(
            format!("the lock of apply is held by another role than ours: {who}"),
            format!(
                "if {user} runs no tenantry, end that session: SELECT pg_terminate_backend({pid});   and run this again"
            ),
        )
    }
}

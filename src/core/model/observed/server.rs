//! The server, and who we are in it.

use std::collections::BTreeSet;

#[derive(Clone, Debug, Default)]
pub struct Server {
    /// `server_version_num`, such as 150018.
    pub version_num: i32,
    /// `pg_control_system()`; tells one cluster from another.
    pub system_identifier: String,
    /// How many locks all sessions together can hold (manual, `max_locks_per_transaction`).
    pub lock_slots: i64,
    /// How many sessions there may be of roles without rank; 0: not known.
    pub connection_slots: i64,
    /// Settings that write each of our statements to the server's log, such as "log_statement = ddl".
    pub logged_by: Vec<String>,
    /// Where secrets send tenants, unless `advertise` says otherwise.
    pub host: String,
    pub port: u16,
    /// Every address that the url names, `host:port`.
    pub reached: Vec<String>,
    /// Whether our own line to it is.
    pub encrypted: bool,
    /// A standby: nothing can be changed here.
    pub in_recovery: bool,
    pub admin: Admin,
    /// The role of the session, when that may only look: then `admin` is the keeper, for whom the plan is made.
    pub reader: Option<String>,
    /// The owner of schema tenantry; `None`: that is not there yet.
    pub keeper: Option<Keeper>,
}

/// The role that applies: it owns the registry. Whoever only looks is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    pub name: String,
    pub superuser: bool,
}

impl Server {
    /// Locks that one transaction of several may take: a quarter of the lock table, which serves everybody.
    #[must_use]
    pub fn locks_of_a_batch(&self) -> i64 {
        (self.lock_slots / 4).max(1)
    }

    /// The registry's owner, or who will be.
    #[must_use]
    pub fn keeper(&self) -> Keeper {
        let admin = || Keeper { name: self.admin.name.clone(), superuser: self.admin.superuser };
        self.keeper.clone().unwrap_or_else(admin)
    }

    /// Who reads the tenants' histories by a grant: a keeper that is not a superuser. Plan and `show` go by this.
    #[must_use]
    pub fn reads_by_grant(&self) -> Option<String> {
        let keeper = self.keeper();
        (!keeper.superuser).then_some(keeper.name)
    }

    /// The major version, such as 15.
    #[must_use]
    pub fn major(&self) -> i32 {
        self.version_num / 10_000
    }
}

/// The role that applies: the one we are connected as, unless that is a reader.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    pub name: String,
    pub superuser: bool,
    pub createrole: bool,
    /// CREATE on the database.
    pub can_create_schema: bool,
    /// Has the rights of the database's owner.
    pub owns_database: bool,
    /// May pass CONNECT on the database on.
    pub may_grant_connect: bool,
    /// May pass TEMPORARY on the database on.
    pub may_grant_temp: bool,
    /// Has the rights of the owner of schema public.
    pub owns_public: bool,
    /// Those of the declared settings that this role may not give to another.
    pub forbidden_settings: BTreeSet<String>,
    /// Those of the declared extensions that are not there and that this role may not make.
    pub forbidden_extensions: BTreeSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_leaves_most_of_the_lock_table_to_others() {
        let of = |lock_slots| Server { lock_slots, ..Server::default() }.locks_of_a_batch();
        assert_eq!([6_400, 7, 0].map(of), [1_600, 1, 1]);
    }

    #[test]
    fn a_keeper_that_is_no_superuser_reads_by_grant() {
        let admin = |superuser| Admin { name: "admin".into(), superuser, ..Admin::default() };
        let server =
            |superuser, keeper| Server { version_num: 180_001, admin: admin(superuser), keeper, ..Server::default() };
        let keeper = |superuser| Some(Keeper { name: "keeper".into(), superuser });
        assert_eq!(server(true, None).reads_by_grant(), None);
        assert_eq!(server(false, None).reads_by_grant().as_deref(), Some("admin"));
        assert_eq!(server(false, keeper(true)).reads_by_grant(), None);
        assert_eq!(server(true, keeper(false)).reads_by_grant().as_deref(), Some("keeper"));
        assert_eq!(server(true, None).major(), 18);
    }
}

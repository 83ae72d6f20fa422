//! The fleet, a row a tenant.

mod columns;

pub use columns::{Column, Sort, sort, table};
use schemars::JsonSchema;
use serde::Serialize;

/// What `state` may be.
pub const STATES: [&str; 7] = ["active", "suspended", "retained", "restoring", "removing", "removed", "absent"];

/// One tenant, as `list` shows it. The names of the fields are those of the columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListRow {
    pub tenant: String,
    pub schema: String,
    pub username: String,
    /// "active", "suspended", "retained", "removed", or "absent": declared and not applied yet.
    pub state: String,
    /// As it is declared now; null: of none.
    pub class: Option<String>,
    /// Where it is declared: "file", "source", or "api" for one that a program created; null: nowhere any more.
    pub declared: Option<String>,
    /// The highest version applied; null: none yet.
    pub migration: Option<i64>,
    /// Bytes on disk.
    pub size: i64,
    pub connections: i64,
    /// Seconds since the password was last changed; null: unknown.
    pub secret_age: Option<i64>,
    /// About how many rows its tables hold, by what PostgreSQL last counted; null: nothing was counted yet.
    pub rows: Option<i64>,
    /// When tenantry last ran a migration in it, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_migration: Option<String>,
    /// Locks that its sessions hold, when they are so many that they crowd others out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locks: Option<i64>,
}

/// A JSON array of objects, sizes in bytes and ages in seconds.
#[must_use]
pub fn json(rows: &[ListRow]) -> String {
    super::json::pretty(&rows)
}

/// A note about who crowds the lock table.
#[must_use]
pub fn many_locks(found: &crate::core::model::ManyLocks) -> String {
    let tenant = found.tenant.as_ref().map(|tenant| format!(" (tenant {tenant})")).unwrap_or_default();
    let role = crate::core::model::literal(&found.role);
    let (place, end) = match usize::try_from(found.sessions).unwrap_or_default() {
        0 => (
            "prepared transactions".to_owned(),
            format!("SELECT gid, database FROM pg_prepared_xacts WHERE owner = {role}, then ROLLBACK PREPARED 'gid'"),
        ),
        n => (
            crate::core::words::count(n, "session"),
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {role}"),
        ),
    };
    format!(
        "note: role {}{tenant} holds {} locks, {} of them advisory, in {place}; the server has room for about {}, and when they are \
         used up, nobody can connect. To end that: {end}",
        found.role, found.locks, found.advisory, found.of
    )
}

/// Seconds for a person: the largest unit that says something.
#[must_use]
pub fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
fn row(tenant: &str, migration: Option<i64>, size: i64, secret_age: Option<i64>) -> ListRow {
    ListRow {
        tenant: tenant.into(),
        schema: format!("tenant_{tenant}"),
        username: format!("{tenant}_user"),
        state: "active".into(),
        class: None,
        declared: Some("file".into()),
        migration,
        size,
        connections: 3,
        secret_age,
        rows: None,
        last_migration: None,
        locks: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<ListRow> {
        vec![row("acme", Some(12), 52 << 20, Some(90_000)), row("globex\x1b", None, 0, None)]
    }

    #[test]
    fn an_age_has_the_largest_unit_that_says_something() {
        assert_eq!([5, 90, 7200, 200_000].map(age), ["5s", "1m", "2h", "2d"]);
    }

    #[test]
    fn json_has_the_columns_names() {
        let rows: serde_json::Value = serde_json::from_str(&json(&rows())).unwrap();
        let keys: Vec<_> = rows[0].as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys,
            [
                "tenant",
                "schema",
                "username",
                "state",
                "class",
                "declared",
                "migration",
                "size",
                "connections",
                "secret_age",
                "rows"
            ]
        );
        assert_eq!(rows[0]["size"], 52 << 20);
    }
}

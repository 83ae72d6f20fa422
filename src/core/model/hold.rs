//! What keeps PostgreSQL from dropping a role.

/// Something that PostgreSQL would name when it refuses to drop a role (`pg_shdepend`), and that does not go with the
/// tenant's schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// The role owns it.
    Owned {
        /// As `pg_identify_object` says it: "table".
        kind: String,
        /// Qualified, and quoted where it must be.
        identity: String,
    },
    /// Somebody gave it to the role, and can take it away.
    Given(Given),
    /// In another database of the cluster, where only a session there could say what it is.
    Abroad {
        database: String,
        /// Objects that the role owns there.
        owned: i64,
        /// Objects there that name it otherwise: privileges, policies.
        granted: i64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    /// Who granted it, or owns the policy's table.
    pub by: String,
    /// As `pg_identify_object` says it: "table", "foreign-data wrapper".
    pub kind: String,
    /// Qualified, and quoted where it must be.
    pub identity: String,
    /// The schema it lies in.
    pub schema: Option<String>,
    pub gift: Gift,
    /// We may SET ROLE to whoever gave it.
    pub ours: bool,
    /// Whoever gave it may still use the schema it lies in, which a REVOKE needs.
    pub reaches: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gift {
    /// In words, on the whole object or on columns.
    Privileges(String),
    /// Privileges on what the giver will make; `plural` as ALTER DEFAULT PRIVILEGES spells it.
    Future { plural: String, privileges: String },
    /// A row-security policy of this name on the table; `others`: the roles that it names besides.
    Policy { name: String, others: Vec<String> },
}

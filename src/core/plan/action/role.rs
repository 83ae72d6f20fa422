//! The tenant's login role and its NOLOGIN owner role.

use super::view::{Action, Kind};
use crate::core::model::{Hold, ident, literal};
use crate::core::plan::bookkeeping::forget_owner;
use crate::core::plan::statement::{ELIDED_VERIFIER, Sql, do_block, statements};

/// Which of a tenant's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The one that has its privileges, and that it logs in as unless two users do.
    Username,
    /// One of two users that log in for the tenant.
    Login,
    /// The NOLOGIN role that owns its schema.
    Owner,
}

/// The owner role, NOLOGIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOwner {
    pub role: String,
}

impl Action for CreateOwner {
    fn kind(&self) -> Kind {
        Kind::CreateOwner
    }

    fn what(&self) -> String {
        format!("role {}", self.role)
    }

    fn after(&self) -> Option<String> {
        Some("NOLOGIN".into())
    }

    fn sql(&self) -> Vec<Sql> {
        statements([format!("CREATE ROLE {} NOLOGIN", ident(&self.role))])
    }
}

/// A role that the tenant logs in as, or may log in as later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRole {
    pub role: String,
    /// With its password; otherwise NOLOGIN, without one.
    pub login: bool,
    /// -1: none.
    pub connection_limit: i32,
    /// Nobody may log in as it yet.
    pub suspended: bool,
}

impl CreateRole {
    fn word(&self) -> &'static str {
        if self.login && !self.suspended { "LOGIN" } else { "NOLOGIN" }
    }
}

impl Action for CreateRole {
    fn kind(&self) -> Kind {
        Kind::CreateRole
    }

    fn what(&self) -> String {
        format!("role {}", self.role)
    }

    fn after(&self) -> Option<String> {
        let (login, limit) = (self.word(), self.connection_limit);
        Some(if limit < 0 { login.to_owned() } else { format!("{login}, connection limit {limit}") })
    }

    fn sql(&self) -> Vec<Sql> {
        let (name, limit) = (ident(&self.role), self.connection_limit);
        if self.login {
            let word = self.word();
            let sql = format!("CREATE ROLE {name} {word} CONNECTION LIMIT {limit} PASSWORD {ELIDED_VERIFIER}");
            vec![Sql::with_verifier(sql)]
        } else {
            statements([format!("CREATE ROLE {name} NOLOGIN CONNECTION LIMIT {limit}")])
        }
    }
}

/// Attributes back to what a tenant's role has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterRole {
    pub whose: Whose,
    pub role: String,
    pub attributes: Vec<Attribute>,
}

/// One attribute that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    Login,
    /// Such as LOGIN or SUPERUSER: it goes.
    Without(&'static str),
    Inherit,
    ConnectionLimit {
        from: i32,
        to: i32,
    },
    ValidForever {
        until: String,
    },
}

impl Attribute {
    fn clause(&self) -> String {
        match self {
            Self::Login => "LOGIN".into(),
            Self::Without(power) => format!("NO{power}"),
            Self::Inherit => "INHERIT".into(),
            Self::ConnectionLimit { to, .. } => format!("CONNECTION LIMIT {to}"),
            Self::ValidForever { .. } => "VALID UNTIL 'infinity'".into(),
        }
    }

    fn before(&self) -> String {
        match self {
            Self::Login => "NOLOGIN".into(),
            Self::Without(power) => (*power).into(),
            Self::Inherit => "NOINHERIT".into(),
            Self::ConnectionLimit { from, .. } => limit(*from),
            Self::ValidForever { until } => format!("valid until {until}"),
        }
    }

    fn after(&self) -> String {
        match self {
            Self::ConnectionLimit { to, .. } => limit(*to),
            Self::ValidForever { .. } => "valid forever".into(),
            Self::Login | Self::Without(_) | Self::Inherit => self.clause(),
        }
    }
}

fn limit(limit: i32) -> String {
    if limit < 0 { "no connection limit".to_owned() } else { format!("connection limit {limit}") }
}

impl AlterRole {
    fn list(&self, each: impl Fn(&Attribute) -> String, between: &str) -> String {
        self.attributes.iter().map(each).collect::<Vec<_>>().join(between)
    }
}

impl Action for AlterRole {
    fn kind(&self) -> Kind {
        match self.whose {
            Whose::Username | Whose::Login => Kind::AlterRole,
            Whose::Owner => Kind::AlterOwner,
        }
    }

    fn what(&self) -> String {
        format!("role {}", self.role)
    }

    fn before(&self) -> Option<String> {
        Some(self.list(Attribute::before, ", "))
    }

    fn after(&self) -> Option<String> {
        Some(self.list(Attribute::after, ", "))
    }

    fn sql(&self) -> Vec<Sql> {
        statements([format!("ALTER ROLE {} {}", ident(&self.role), self.list(Attribute::clause, " "))])
    }
}

/// The password of a role that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPassword {
    pub role: String,
    pub which: WhichPassword,
    /// The role has none.
    pub lacks_one: bool,
}

/// Which password a role gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichPassword {
    /// `password_from`.
    Given,
    Stored,
    Generated,
}

impl Action for SetPassword {
    fn kind(&self) -> Kind {
        Kind::SetPassword
    }

    fn what(&self) -> String {
        format!("password of {}", self.role)
    }

    fn before(&self) -> Option<String> {
        self.lacks_one.then(|| "none".into())
    }

    fn after(&self) -> Option<String> {
        let words = match self.which {
            WhichPassword::Given => "from password_from",
            WhichPassword::Stored => "as in the secret store",
            WhichPassword::Generated => "newly generated",
        };
        Some(words.into())
    }

    fn sql(&self) -> Vec<Sql> {
        vec![Sql::with_verifier(format!("ALTER ROLE {} PASSWORD {ELIDED_VERIFIER}", ident(&self.role)))]
    }
}

/// A deputy that a killed archive, restore or migration left behind, with the files of its archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropDeputy {
    pub role: String,
    /// Otherwise only the registry remembers it.
    pub exists: bool,
}

impl Action for DropDeputy {
    fn kind(&self) -> Kind {
        Kind::DropDeputy
    }

    fn what(&self) -> String {
        format!("role {}", self.role)
    }

    fn before(&self) -> Option<String> {
        Some("left over from an archive, a restore or a migration that was interrupted".into())
    }

    fn sql(&self) -> Vec<Sql> {
        if !self.exists {
            return Vec::new();
        }
        let name = ident(&self.role);
        statements([
            // pg_dump outlives whoever started it, and so does the building of an index.
            end_sessions(&self.role),
            format!("DROP OWNED BY {name}"),
            format!("DROP ROLE {name}"),
        ])
    }
}

fn end_sessions(role: &str) -> String {
    let user = literal(role);
    format!("SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = {user}")
}

/// A role that goes, with what its privileges were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropRole {
    pub whose: Whose,
    pub role: String,
    /// What the look found that keeps it from being dropped, and that goes before.
    pub holds: Vec<Hold>,
    /// What it owns goes to another role first; `None`: it owns nothing any more.
    pub hand_over: Option<HandOver>,
    /// The registry remembers it as one that several tenants shared.
    pub is_remembered: bool,
}

/// Who gets what a role owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    pub to: String,
    pub schema: String,
}

impl Action for DropRole {
    fn kind(&self) -> Kind {
        match self.whose {
            Whose::Username | Whose::Login => Kind::DropRole,
            Whose::Owner => Kind::DropOwner,
        }
    }

    fn what(&self) -> String {
        format!("role {}", self.role)
    }

    fn before(&self) -> Option<String> {
        Some(if self.whose == Whose::Owner { "NOLOGIN" } else { "LOGIN" }.into())
    }

    /// The manual's recipe ("Dropping Roles"): REASSIGN OWNED also takes what no other change names, such as operators and
    /// collations; after it DROP OWNED revokes privileges and drops nothing.
    fn sql(&self) -> Vec<Sql> {
        let name = ident(&self.role);
        let mut sql = match &self.hand_over {
            None => drop_role(&self.role),
            Some(HandOver { to, schema }) => vec![
                owns_nothing_but(&self.role, Some(schema)),
                format!("REASSIGN OWNED BY {name} TO {}", ident(to)),
                format!("DROP OWNED BY {name}"),
                format!("DROP ROLE {name}"),
            ],
        };
        if self.is_remembered {
            sql.push(forget_owner(&self.role));
        }
        if self.whose == Whose::Login {
            // Whoever logged in with what the secret said before.
            sql.insert(0, end_sessions(&self.role));
        }
        statements(sql)
    }
}

/// DROP OWNED is there for grants and default privileges. Large objects are no schema's and go with their role; for the
/// rest the guard sees to it that the role owns nothing elsewhere, such as a schema that somebody renamed by hand.
#[must_use]
pub fn drop_role(role: &str) -> Vec<String> {
    let large = do_block(&format!(
        "FOR o IN SELECT m.oid::text FROM pg_catalog.pg_largeobject_metadata m WHERE m.lomowner = {}::pg_catalog.regrole\n\
         LOOP PERFORM pg_catalog.lo_unlink(o::oid); END LOOP;",
        literal(&ident(role))
    ));
    vec![
        large,
        owns_nothing_but(role, None),
        format!("DROP OWNED BY {}", ident(role)),
        format!("DROP ROLE {}", ident(role)),
    ]
}

/// Fails, and with it the whole transaction, when the role owns anything but what lies in the schema: DROP OWNED would
/// drop it, and REASSIGN OWNED hand it over. pg_shdepend knows of databases and tablespaces too (dbid 0).
fn owns_nothing_but(role: &str, schema: Option<&str>) -> String {
    let inside = schema.map_or(String::new(), |schema| {
        // pg_identify_object quotes names where they need it, as quote_ident does.
        let name = format!("pg_catalog.quote_ident({})", literal(schema));
        format!(
            "\nAND NOT EXISTS (SELECT FROM pg_catalog.pg_identify_object(d.classid, d.objid, 0) i WHERE d.dbid <> 0 AND (i.schema = {name} OR i.type = 'schema' AND i.name = {name}))"
        )
    });
    do_block(&format!(
        "SELECT pg_catalog.string_agg(pg_catalog.pg_describe_object(d.classid, d.objid, 0), ', ') INTO o FROM pg_catalog.pg_shdepend d\n\
         WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.refobjid = {}::pg_catalog.regrole AND d.deptype = 'o' AND d.classid NOT IN ('pg_catalog.pg_default_acl'::pg_catalog.regclass, 'pg_catalog.pg_user_mapping'::pg_catalog.regclass)\n\
         AND d.dbid IN (0, (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database())){inside};\n\
         IF o IS NOT NULL THEN RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = 'the role owns more than its schema: ' || o,\n\
         HINT = 'give it to another owner first: ALTER ... OWNER TO'; END IF;",
        literal(&ident(role))
    ))
}

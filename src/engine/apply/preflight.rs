//! What the admin must be able to do, asked before anything is changed; what is missing is printed as SQL.

use std::collections::BTreeSet;
use std::path::Path;

use crate::core::model::{Observed, Registered, Subject, ident, literal};
use crate::core::plan::action::BorrowRights;
use crate::core::plan::{About, Change, DatabaseAction, Kind, Plan, TenantPlan, foreign_code, group_role, owners_role};
use crate::engine::archive::{Programs, Variables, check_dir};
use crate::engine::error::Error;

/// So many roles are named in the statement that is printed; for more it looks for them itself.
const NAMED: usize = 12;

/// # Errors
/// The first right that is missing, with the statement that grants it.
pub fn check_admin(observed: &Observed, plan: &Plan) -> Result<(), Error> {
    if observed.server.admin.superuser {
        return Ok(());
    }
    let lacks = Lacks { observed, plan };
    match lacks.attribute().or_else(|| lacks.on_database()).or_else(|| lacks.on_shared()).or_else(|| lacks.on_roles()) {
        None => lacks.settings().map_or(Ok(()), Err),
        Some(error) => Err(error),
    }
}

/// For an archive outside of a plan: it is read by a role that is made for it, with the rights of the tenant's.
///
/// # Errors
/// The first right that is missing, with the statement that grants it.
pub fn check_deputy(observed: &Observed, subject: &Subject) -> Result<(), Error> {
    if observed.server.admin.superuser {
        return Ok(());
    }
    let lacks = Lacks { observed, plan: &Plan::default() };
    let roles = subject.roles();
    lacks.createrole().or_else(|| lacks.administers(roles.into_iter().collect(), true)).map_or(Ok(()), Err)
}

/// Without an archive nothing is dropped, so what it takes is looked for before anything is changed.
///
/// # Errors
/// When no pg_dump is there that is new enough, or nothing can be written where archives go. `None`: nothing is archived.
pub fn check_archives(
    observed: &Observed,
    plan: &Plan,
    dir: &Path,
    env: Variables<'_>,
) -> Result<Option<Programs>, Error> {
    if plan.tenants.iter().all(|tenant| tenant.phases.archive.is_none()) {
        return Ok(None);
    }
    let programs = Programs::find(observed.server.major().unsigned_abs(), env)?;
    check_dir(dir)?;
    Ok(Some(programs))
}

/// Nobody else's code may run as us; what the plan takes away first of all, it must be able to take away.
///
/// # Errors
/// The first of what is there, with what to type.
pub fn check_registry(observed: &Observed, plan: &Plan) -> Result<(), Error> {
    for found in foreign_code(observed) {
        let refused = |hint: String| {
            Error::refused(
                format!("{} does not belong to tenantry, and would run as tenantry; nothing was changed", found.what),
                hint,
            )
        };
        let is_it = |about: &About| matches!(about, About::Foreign(planned) if planned == found);
        let is_planned = plan.database_changes.iter().any(|change| is_it(&change.about));
        match &found.remedy {
            None => {
                return Err(refused("tenantry's tables use only what PostgreSQL provides; remove it by hand".into()));
            }
            Some(sql) if !found.ours => return Err(refused(format!("as a superuser: {sql};"))),
            Some(sql) if !is_planned => {
                return Err(refused(format!("tenantry apply removes it; or: {sql};")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

struct Lacks<'a> {
    observed: &'a Observed,
    plan: &'a Plan,
}

impl Lacks<'_> {
    fn does(&self, kinds: &[Kind]) -> bool {
        self.plan.tenants.iter().any(|tenant| tenant.phases.has(kinds))
    }

    /// A deputy is made for an archive, and for migrations outside a transaction.
    fn logs_in(&self) -> bool {
        self.plan.tenants.iter().any(|tenant| tenant.phases.needs_a_deputy())
    }

    fn shares(&self, actions: &[DatabaseAction]) -> bool {
        self.plan.database_changes.iter().any(|change| actions.contains(&change.action))
    }

    fn error(&self, right: &str, by: &str, sql: &str) -> Error {
        let admin = &self.observed.server.admin.name;
        Error::refused(
            format!("{admin} is not a superuser and lacks {right}; nothing was changed"),
            format!("as a superuser{by}: {sql};"),
        )
    }

    fn me(&self) -> String {
        ident(&self.observed.server.admin.name)
    }

    fn attribute(&self) -> Option<Error> {
        let makes_roles =
            self.does(&[Kind::CreateRole, Kind::CreateOwner, Kind::DropRole, Kind::DropOwner, Kind::AlterRole])
                || self.logs_in()
                || self.shares(&[DatabaseAction::CreateGroup, DatabaseAction::CreateSharedOwner]);
        makes_roles.then(|| self.createrole()).flatten()
    }

    fn createrole(&self) -> Option<Error> {
        let lacks = !self.observed.server.admin.createrole;
        lacks.then(|| self.error("CREATEROLE", "", &format!("ALTER ROLE {} CREATEROLE", self.me())))
    }

    fn on_database(&self) -> Option<Error> {
        const OWNER: &str = ", or the owner of the database";
        let admin = &self.observed.server.admin;
        let (me, database) = (self.me(), ident(&self.observed.database.name));
        let makes_schemas = self.does(&[Kind::CreateSchema, Kind::RenameSchema])
            || self.shares(&[DatabaseAction::CreateRegistry, DatabaseAction::CreateSharedSchema]);
        if makes_schemas && !admin.can_create_schema {
            let sql = format!("GRANT CREATE ON DATABASE {database} TO {me}");
            return Some(self.error("CREATE on the database", OWNER, &sql));
        }
        // Without it GRANT only warns, and the next plan would say the same again.
        if self.shares(&[DatabaseAction::GrantConnect]) && !admin.may_grant_connect {
            let sql = format!("GRANT CONNECT ON DATABASE {database} TO {me} WITH GRANT OPTION");
            return Some(self.error("the right to grant CONNECT to tenants", OWNER, &sql));
        }
        None
    }

    fn on_shared(&self) -> Option<Error> {
        let me = self.me();
        let grants = self.shares(&[DatabaseAction::GrantSharedSchema]);
        let shared = &self.observed.database.shared_schemas;
        if let Some((name, schema)) = shared.iter().find(|(_, s)| grants && !s.group_has_usage && !s.may_grant) {
            let sql = format!("GRANT USAGE ON SCHEMA {} TO {me} WITH GRANT OPTION", ident(name));
            let by = format!(", or {}, who owns it", schema.owner);
            return Some(self.error(&format!("the right to grant tenants USAGE on schema {name}"), &by, &sql));
        }
        let extensions: Vec<(&String, &String)> = self
            .plan
            .database_changes
            .iter()
            .filter_map(|change| match &change.about {
                About::Extension { name, schema } => Some((name, schema)),
                _ => None,
            })
            .collect();
        let forbidden = self.observed.server.admin.forbidden_extensions.first();
        if let Some((name, schema)) = extensions.iter().find(|(name, _)| Some(*name) == forbidden) {
            let right = format!("the right to create extension {name}, which is not a trusted one");
            let (name, schema) = (ident(name), ident(schema));
            let sql = format!(
                "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {me}; CREATE EXTENSION {name} SCHEMA {schema}"
            );
            return Some(self.error(&right, "", &sql));
        }
        let into = |name: &String| extensions.iter().any(|(_, schema)| *schema == name);
        let (name, schema) = shared.iter().find(|(name, schema)| into(name) && !schema.may_create)?;
        let sql = format!("GRANT CREATE ON SCHEMA {} TO {me}", ident(name));
        let by = format!(", or {}, who owns it", schema.owner);
        Some(self.error(&format!("CREATE on schema {name}, where the extensions go"), &by, &sql))
    }

    fn on_roles(&self) -> Option<Error> {
        let observed = self.observed;
        let touches_roles = |tenant: &&TenantPlan| tenant.phases.has_sql();
        let mut names = BTreeSet::new();
        for tenant in self.plan.tenants.iter().filter(touches_roles) {
            names.extend([tenant.username.clone(), tenant.owner.clone()]);
            let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.tenant));
            names.extend(row.into_iter().flat_map(|row| [row.username.clone(), row.owner.clone()]));
            names.extend(row.into_iter().flat_map(Registered::login_users));
            // Such as the one that owned what is adopted.
            names.extend(tenant.phases.transaction.iter().flat_map(|change| match change {
                Change::BorrowRights(BorrowRights(rights)) => rights.roles.clone(),
                _ => Vec::new(),
            }));
        }
        // A deputy joins the group too.
        let joins = self.does(&[Kind::GrantMembership, Kind::Archive]);
        self.administers(names, joins || self.shares(&[DatabaseAction::CreateSharedOwner]))
    }

    /// From PostgreSQL 16 on CREATEROLE is power over the roles that one made, or has ADMIN on: not over those that came with
    /// an upgrade or a restore, or that somebody else made.
    fn administers(&self, names: BTreeSet<String>, joins: bool) -> Option<Error> {
        let observed = self.observed;
        if observed.server.major() < 16 {
            return None;
        }
        let mut lacking: Vec<&str> = names
            .iter()
            .filter(|name| observed.roles.get(*name).is_some_and(|role| !role.administered))
            .map(String::as_str)
            .collect();
        let group = group_role(&observed.database.name);
        if joins && observed.database.group.as_ref().is_some_and(|group| !group.role.administered) {
            lacking.push(&group);
        }
        let owners = owners_role(&observed.database.name);
        if joins && observed.database.owners_group.as_ref().is_some_and(|group| !group.role.administered) {
            lacking.push(&owners);
        }
        let first = lacking.first()?;
        let with = "WITH ADMIN TRUE, INHERIT FALSE, SET FALSE";
        let (right, sql) = match lacking.len() {
            1..=NAMED => {
                let list = lacking.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ");
                (format!("ADMIN on {}", lacking.join(", ")), format!("GRANT {list} TO {} {with}", self.me()))
            }
            many => {
                let group = literal(&ident(&group));
                let each = format!(
                    "DO $$ DECLARE r text; BEGIN FOR r IN SELECT {group} UNION ALL SELECT m.member::regrole::text FROM pg_auth_members m WHERE m.roleid = {group}::regrole AND m.member <> {}::regrole LOOP EXECUTE 'GRANT ' || r || {}; END LOOP; END $$",
                    literal(&self.me()),
                    literal(&format!(" TO {} {with}", self.me()))
                );
                (format!("ADMIN on {first} and {} other roles", many - 1), each)
            }
        };
        Some(self.error(&right, "", &sql))
    }

    fn settings(&self) -> Option<Error> {
        let forbidden = &self.observed.server.admin.forbidden_settings;
        let changes = self.plan.tenants.iter().flat_map(|tenant| &tenant.phases.transaction);
        let wanted: BTreeSet<&str> = changes
            .filter_map(|change| match change {
                Change::SetSetting(set) if set.to.is_some() => Some(set.parameter.as_str()),
                _ => None,
            })
            .collect();
        let lacking: Vec<&str> = wanted.into_iter().filter(|name| forbidden.contains(*name)).collect();
        let first = lacking.first()?;
        if self.observed.server.major() < 15 {
            let admin = &self.observed.server.admin.name;
            return Some(Error::refused(
                format!(
                    "{admin} is not a superuser, and up to PostgreSQL 14 only a superuser may set {first} for a role; nothing was changed"
                ),
                format!("take {} out of settings, or apply as a superuser", lacking.join(", ")),
            ));
        }
        let list = lacking
            .iter()
            .map(|name| name.split('.').map(ident).collect::<Vec<_>>().join("."))
            .collect::<Vec<_>>()
            .join(", ");
        let sql = format!("GRANT SET ON PARAMETER {list} TO {}", self.me());
        Some(self.error(&format!("the right to set {}", lacking.join(", ")), "", &sql))
    }
}

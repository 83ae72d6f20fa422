//! What a restore sends besides what pg_restore does: it takes more than one transaction, so it is no tenant's plan.

use super::action::{Rights, drop_role};
use super::fleet::is_shared_owner;
use super::groups::group_role;
use crate::core::model::{Access, Desired, Observed, State, Tenant, ident, qualified};

/// Roles that nobody can log in as and an empty schema, and what becomes of them once the data are in, or are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    schema: String,
    username: String,
    owner: String,
    access: Access,
    /// The roles that own, as the tenant's plan will have them.
    pub roles: Vec<String>,
    /// Those of them that are not there when it begins.
    makes: Vec<String>,
    /// Those of them that are no other tenant's.
    drops: Vec<String>,
    /// The role that every tenant joins.
    pub group: String,
    rights: Option<Rights>,
    history: String,
    /// Who reads the history by a grant.
    reader: Option<String>,
}

impl Restoration {
    #[must_use]
    pub fn new(desired: &Desired, observed: &Observed, tenant: &Tenant) -> Self {
        let roles = tenant.subject().roles();
        let shared = |role: &String| {
            *role == tenant.owner_role && is_shared_owner(desired, observed, &tenant.owner_role, &tenant.key)
        };
        let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.key));
        let starts_over = row.is_some_and(|row| row.state == State::Restoring);
        let drops: Vec<String> = roles.iter().filter(|role| !shared(role)).cloned().collect();
        // What an interrupted restore made is dropped first.
        let is_there = |role: &String| !starts_over && observed.roles.contains_key(role);
        let admin = &observed.server.admin;
        Self {
            schema: tenant.schema.clone(),
            username: tenant.username.clone(),
            owner: tenant.owner().to_owned(),
            access: tenant.access,
            makes: drops.iter().filter(|role| !is_there(role)).cloned().collect(),
            drops,
            group: group_role(&observed.database.name),
            rights: Rights::lacking(observed, &roles),
            history: qualified(&tenant.schema, &desired.migrations.table),
            reader: (!admin.superuser).then(|| admin.name.clone()),
            roles,
        }
    }

    /// These statements, with the rights of the tenant's roles.
    fn with_rights(&self, sql: impl IntoIterator<Item = String>) -> Vec<String> {
        let take = self.rights.iter().flat_map(Rights::take);
        let give = self.rights.iter().flat_map(|rights| rights.give(&[]));
        take.chain(sql).chain(give).collect()
    }

    /// The roles and the schema.
    #[must_use]
    pub fn make(&self) -> Vec<String> {
        let group = ident(&self.group);
        let roles = self.makes.iter().map(|role| ident(role));
        let mut sql: Vec<String> = roles
            .flat_map(|role| [format!("CREATE ROLE {role} NOLOGIN"), format!("GRANT {group} TO {role}")])
            .collect();
        let (schema, owner) = (ident(&self.schema), ident(&self.owner));
        let mut inside = vec![format!("CREATE SCHEMA {schema} AUTHORIZATION {owner}")];
        if self.access != Access::Owner {
            // What it made itself it gets back, whatever it may make from now on.
            inside.push(format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {}", ident(&self.username)));
        }
        sql.extend(self.with_rights(inside));
        sql
    }

    /// A materialized view is filled as its owner, who reads tables that may be the other role's. The deputy makes all of
    /// them, and what it grants by default is revoked afterwards.
    #[must_use]
    pub fn open_to_each_other(&self, deputy: &str) -> Vec<String> {
        let to = self.roles.iter().map(|role| ident(role)).collect::<Vec<_>>().join(", ");
        let (role, schema) = (ident(deputy), ident(&self.schema));
        let default =
            |what: &str| format!("ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} GRANT {what} TO {to}");
        self.with_rights([default("SELECT ON TABLES"), default("SELECT ON SEQUENCES")])
    }

    /// Before and after what is done with the tenant's objects.
    #[must_use]
    pub fn rights(&self) -> [Vec<String>; 2] {
        let rights = self.rights.as_ref();
        [rights.map(Rights::take), rights.map(|rights| rights.give(&[]))].map(Option::unwrap_or_default)
    }

    /// Every object of a dump has an owner; code that ran on the way may have left some without.
    #[must_use]
    pub fn take_over(&self, deputy: &str) -> String {
        format!("REASSIGN OWNED BY {} TO {}", ident(deputy), ident(&self.owner))
    }

    /// The plan that follows reads the history, and an admin who is not a superuser does so by a grant.
    #[must_use]
    pub fn open_history(&self, exists: bool) -> Vec<String> {
        let Some(reader) = self.reader.as_deref().map(ident) else { return Vec::new() };
        let schema = format!("GRANT USAGE ON SCHEMA {} TO {reader}", ident(&self.schema));
        let table = exists.then(|| format!("GRANT SELECT ON {} TO {reader}", self.history));
        [schema].into_iter().chain(table).collect()
    }

    /// Whose history it is that may be there, as [`Self::open_history`] asks.
    #[must_use]
    pub fn history(&self) -> &str {
        &self.history
    }

    /// What a restore left, once its tables are gone.
    #[must_use]
    pub fn clear(&self) -> Vec<String> {
        let take = self.rights.iter().flat_map(Rights::take);
        let schema = format!("DROP SCHEMA IF EXISTS {} CASCADE", ident(&self.schema));
        let roles = self.drops.iter().flat_map(|role| drop_role(role));
        let give = self.rights.iter().flat_map(|rights| rights.give(&self.drops));
        take.chain([schema]).chain(roles).chain(give).collect()
    }

    /// The roles that [`Self::clear`] drops.
    #[must_use]
    pub fn drops(&self) -> &[String] {
        &self.drops
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::config;
    use crate::core::migrations::MigrationSet;
    use crate::core::model::Role;

    fn desired(toml: &str) -> Desired {
        let configuration = config::parse("tenants.toml", toml, &|_| None).unwrap();
        configuration.with_migrations(MigrationSet::new("history", Vec::new()).unwrap())
    }

    fn restoration(toml: &str, prepare: impl FnOnce(&mut Observed)) -> Restoration {
        let desired = desired(toml);
        let mut observed = Observed::default();
        observed.database.name = "app".into();
        observed.server.version_num = 160_000;
        observed.server.admin.name = "admin".into();
        prepare(&mut observed);
        Restoration::new(&desired, &observed, desired.tenants.values().next().unwrap())
    }

    #[test]
    fn its_roles_are_made_with_the_rights_to_make_the_schema_theirs() {
        let made = restoration("[tenants]\nacme = {}\n", |_| ()).make();
        assert_eq!(
            made,
            [
                r#"CREATE ROLE "acme_user" NOLOGIN"#,
                r#"GRANT "tenantry_app_tenants" TO "acme_user""#,
                r#"CREATE ROLE "acme_owner" NOLOGIN"#,
                r#"GRANT "tenantry_app_tenants" TO "acme_owner""#,
                r#"GRANT "acme_user" TO "admin" WITH INHERIT TRUE, SET TRUE"#,
                r#"GRANT "acme_owner" TO "admin" WITH INHERIT TRUE, SET TRUE"#,
                r#"CREATE SCHEMA "tenant_acme" AUTHORIZATION "acme_owner""#,
                r#"GRANT USAGE, CREATE ON SCHEMA "tenant_acme" TO "acme_user""#,
                r#"REVOKE "acme_user" FROM "admin""#,
                r#"REVOKE "acme_owner" FROM "admin""#,
            ]
        );
        let superuser = |observed: &mut Observed| observed.server.admin.superuser = true;
        let owns = restoration("[tenants]\nacme = { access = \"owner\" }\n", superuser);
        let create = [r#"CREATE ROLE "acme_user" NOLOGIN"#, r#"GRANT "tenantry_app_tenants" TO "acme_user""#];
        assert_eq!(owns.make()[..2], create);
        assert_eq!(owns.make()[2..], [r#"CREATE SCHEMA "tenant_acme" AUTHORIZATION "acme_user""#]);
        assert!(owns.open_history(true).is_empty() && owns.rights() == [Vec::<String>::new(), Vec::new()]);
    }

    #[test]
    fn an_owner_that_others_share_is_neither_made_nor_dropped() {
        let toml = "[defaults]\nowner = \"everybodys\"\n[tenants]\nacme = {}\nglobex = {}\n";
        let shared = restoration(toml, |_| ());
        assert_eq!(shared.roles, ["acme_user", "everybodys"]);
        assert!(!shared.make().iter().any(|sql| sql.contains(r#"CREATE ROLE "everybodys""#)));
        let cleared = shared.clear();
        assert!(!cleared.iter().any(|sql| sql.contains(r#"DROP ROLE "everybodys""#)), "{cleared:#?}");
        assert!(cleared.contains(&r#"DROP ROLE "acme_user""#.to_owned()));
        // Membership of a role that stays would stay too.
        assert_eq!(cleared.last().unwrap(), r#"REVOKE "everybodys" FROM "admin""#);
    }

    #[test]
    fn a_role_that_is_there_is_made_only_where_it_is_an_interrupted_restores() {
        let there = |observed: &mut Observed| {
            observed.roles.insert("acme_owner".into(), Role::default());
        };
        let made = restoration("[tenants]\nacme = {}\n", there).make();
        assert!(!made.contains(&r#"CREATE ROLE "acme_owner" NOLOGIN"#.to_owned()), "{made:#?}");
        assert!(made.contains(&r#"CREATE ROLE "acme_user" NOLOGIN"#.to_owned()));
    }

    #[test]
    fn what_the_restore_makes_is_the_tenants_in_the_end() {
        let toml = "[tenants]\nacme = {}\n";
        let made = restoration(toml, |_| ());
        let take = [
            r#"GRANT "acme_user" TO "admin" WITH INHERIT TRUE, SET TRUE"#,
            r#"GRANT "acme_owner" TO "admin" WITH INHERIT TRUE, SET TRUE"#,
        ];
        let give = [r#"REVOKE "acme_user" FROM "admin""#, r#"REVOKE "acme_owner" FROM "admin""#];
        assert_eq!(made.rights(), [take.map(str::to_owned).to_vec(), give.map(str::to_owned).to_vec()]);
        let default = |what: &str| {
            format!(
                r#"ALTER DEFAULT PRIVILEGES FOR ROLE "dep" IN SCHEMA "tenant_acme" GRANT SELECT ON {what} TO "acme_user", "acme_owner""#
            )
        };
        let opened = made.open_to_each_other("dep");
        assert_eq!(opened[2..4], [default("TABLES"), default("SEQUENCES")]);
        assert_eq!((&opened[..2], &opened[4..]), (&take.map(str::to_owned)[..], &give.map(str::to_owned)[..]));
        assert_eq!(made.take_over("dep"), r#"REASSIGN OWNED BY "dep" TO "acme_owner""#);
        assert_eq!(made.history(), r#""tenant_acme"."history""#);
        let usage = r#"GRANT USAGE ON SCHEMA "tenant_acme" TO "admin""#;
        assert_eq!(made.open_history(false), [usage]);
        assert_eq!(made.open_history(true), [usage, r#"GRANT SELECT ON "tenant_acme"."history" TO "admin""#]);
    }

    #[test]
    fn what_a_restore_left_goes_with_its_own_roles() {
        let toml = "[tenants]\nacme = {}\n";
        let made = restoration(toml, |_| ());
        assert_eq!(made.drops(), ["acme_user", "acme_owner"]);
        let cleared = made.clear();
        let schema = cleared.iter().position(|sql| sql == r#"DROP SCHEMA IF EXISTS "tenant_acme" CASCADE"#).unwrap();
        let user = cleared.iter().position(|sql| sql == r#"DROP ROLE "acme_user""#).unwrap();
        assert!(schema < user && cleared.contains(&r#"DROP ROLE "acme_owner""#.to_owned()), "{cleared:#?}");
        // Their memberships went with them.
        assert!(!cleared.iter().any(|sql| sql.starts_with("REVOKE \"acme_")), "{cleared:#?}");
        let shared = restoration("[defaults]\nowner = \"everybodys\"\n[tenants]\nacme = {}\nglobex = {}\n", |_| ());
        assert_eq!(shared.drops(), ["acme_user"]);
    }
}

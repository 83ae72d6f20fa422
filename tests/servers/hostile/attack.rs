//! A tenant that plants code, and the proof that it got nothing by it.

use crate::fleet::{Fleet, Run};
use crate::postgres_server::Version;

/// The ways to have one's code run by the tool: with CREATE in the schema, and as the owner of everything in it.
pub const ACCESS: [&str; 2] = ["full", "owner"];

pub struct Attack {
    pub fleet: Fleet,
    pub tenant: String,
    pub access: &'static str,
    before: String,
}

impl Attack {
    /// A tenant whose schema holds `users`, and planted in it `ride('where')`: tries whatever a superuser could do.
    pub fn new(version: Version, name: &str, access: &'static str) -> Self {
        Self::with_head(version, name, access, "")
    }

    pub fn with_head(version: Version, name: &str, access: &'static str, head: &str) -> Self {
        let mut fleet = Fleet::new(version, name);
        fleet.head.insert_str(0, head);
        fleet.migration("V1__users.sql", "CREATE TABLE users (email text);");
        let tenant = format!("{name}_{access}");
        fleet.declare(&format!("{tenant} = {{ access = \"{access}\" }}"));
        fleet.apply();
        let mut attack = Self { fleet, tenant, access, before: String::new() };
        attack.plant(&attack.code());
        attack.before = attack.rights();
        attack
    }

    pub fn user(&self) -> String {
        format!("{}_user", self.tenant)
    }

    /// Whoever owns the schema: the most that planted code may be.
    pub fn owner(&self) -> String {
        if self.access == "owner" { self.user() } else { format!("{}_owner", self.tenant) }
    }

    pub fn schema(&self) -> String {
        format!("tenant_{}", self.tenant)
    }

    /// As the tenant itself, logged in.
    #[track_caller]
    pub fn plant(&self, sql: &str) {
        self.fleet.log_in(&self.tenant).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// As the owner role: what code that rode an earlier migration could have done, and left a function to do again.
    /// Logged in as it, so that RESET ROLE leads nowhere.
    #[track_caller]
    pub fn plant_as_owner(&self, sql: &str) {
        if self.access == "owner" {
            return self.plant(sql);
        }
        let owner = self.owner();
        self.fleet.execute(&format!("ALTER ROLE {owner} LOGIN PASSWORD 'x'"));
        let mut client = postgres::Client::connect(&self.fleet.database.url_as(&owner, "x"), postgres::NoTls).unwrap();
        client.batch_execute(&format!("SET search_path = {}", self.schema())).unwrap();
        client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        self.fleet.execute(&format!("ALTER ROLE {owner} NOLOGIN PASSWORD NULL"));
    }

    /// Lets the owner role write to a table of the tenant's own; nothing to do where they are one.
    pub fn open(&self, table: &str) -> String {
        if self.access == "owner" { "SELECT".into() } else { format!("GRANT ALL ON {table} TO {}", self.owner()) }
    }

    /// A table of the tenant's with a trigger that runs these statements.
    pub fn table_with_trigger(&self, table: &str, kind: &str, statements: &str) {
        self.plant(&format!(
            "CREATE TABLE {table} (n int); {open};
             CREATE FUNCTION on_{table}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {statements}; RETURN NULL; END $f$;
             CREATE {kind} on_{table} AFTER INSERT ON {table} {deferred} FOR EACH ROW EXECUTE FUNCTION on_{table}();",
            open = self.open(table),
            deferred = if kind == "TRIGGER" { "" } else { "DEFERRABLE INITIALLY DEFERRED" },
        ));
    }

    /// Outside any transaction: what COPY TO PROGRAM leaves stays, also where all else is rolled back.
    fn marker(&self) -> std::path::PathBuf {
        self.fleet.database.server.socket_dir().join(format!("rode_{}", self.tenant))
    }

    fn code(&self) -> String {
        let tries = [
            "RESET ROLE".to_owned(),
            "SET SESSION AUTHORIZATION postgres".into(),
            "SELECT pg_catalog.set_config('role', 'postgres', false)".into(),
            "SET ROLE NONE".into(),
            format!("ALTER ROLE {} SUPERUSER", self.user()),
            format!("GRANT postgres TO {}", self.user()),
            format!("CREATE ROLE ridden_{}", self.tenant),
            format!("COPY (SELECT 1) TO PROGRAM 'touch {}'", self.marker().display()),
        ];
        let tries = tries.map(|sql| format!("'{}'", sql.replace('\'', "''"))).join(", ");
        let schema = self.schema();
        format!(
            "CREATE TABLE canary (who text, place text, what text, answer text); {};
             CREATE FUNCTION ride(place text) RETURNS int LANGUAGE plpgsql AS $f$
             DECLARE tried text; answer text; BEGIN
               FOREACH tried IN ARRAY ARRAY[{tries}] LOOP
                 answer := 'RODE';
                 BEGIN EXECUTE tried; EXCEPTION WHEN OTHERS THEN answer := SQLSTATE; END;
                 BEGIN INSERT INTO {schema}.canary VALUES (current_user, place, tried, answer);
                 EXCEPTION WHEN OTHERS THEN NULL; END;
               END LOOP;
               RETURN 1; END $f$",
            self.open("canary")
        )
    }

    fn rights(&self) -> String {
        let roles = format!("('{0}_user', '{0}_owner', 'ridden_{0}')", self.tenant);
        self.fleet.ask(&format!(
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin,
                    pg_has_role(rolname, 'postgres', 'MEMBER') FROM pg_roles WHERE rolname IN {roles}
             UNION ALL SELECT 'member ' || m.member::regrole, NULL, NULL, NULL, NULL, NULL, NULL, NULL
             FROM pg_auth_members m JOIN pg_roles r ON r.oid IN (m.member, m.roleid) WHERE r.rolname IN {roles} ORDER BY 1"
        ))
    }

    /// Where the planted code ran, and as whom.
    pub fn ran(&self) -> String {
        self.fleet.ask(&format!("SELECT DISTINCT place, who FROM {}.canary ORDER BY 1, 2", self.schema()))
    }

    /// It ran there, as the owner and nobody else.
    #[track_caller]
    pub fn ran_as_owner(&self, place: &str) {
        assert_eq!(self.ran(), format!("{place}, {}", self.owner()), "{}", self.tenant);
    }

    #[track_caller]
    pub fn ran_no_program(&self) {
        assert!(!self.marker().exists(), "{}: it ran a program on the server", self.tenant);
    }

    #[track_caller]
    pub fn gained_nothing(&self) {
        assert_eq!(self.rights(), self.before, "{}: its rights", self.tenant);
        self.ran_no_program();
        let schema = self.schema();
        if self.fleet.ask(&format!("SELECT to_regclass('{schema}.canary')")) != "-" {
            let rode = format!("SELECT * FROM {schema}.canary WHERE (answer = 'RODE' OR who = 'postgres')");
            // In a login of the role's own these lead nowhere, and are not refused.
            let rode = format!("{rode} AND NOT (who <> 'postgres' AND what IN ('RESET ROLE', 'SET ROLE NONE'))");
            assert_eq!(self.fleet.ask(&rode), "", "{}", self.tenant);
        }
        let left = "SELECT proname FROM pg_proc WHERE proname LIKE 'tenantry\\_t%'";
        assert_eq!(self.fleet.ask(left), "", "the function that ran the migrations");
    }

    /// Adds a second migration, which meets the planted code.
    pub fn next_migration(&self, sql: &str) -> Run {
        self.fleet.migration("V2__next.sql", sql);
        self.fleet.try_apply()
    }
}

/// On both versions, with both ways to plant.
pub fn everywhere(name: &str, attack: impl Fn(Attack)) {
    for version in crate::fleet::BOTH {
        for access in ACCESS {
            attack(Attack::new(version, name, access));
        }
    }
}

//! Removals that archive first, and restores: nothing of a tenant's data is anywhere lost.

use std::path::{Path, PathBuf};

use crate::fleet::{BOTH, Fleet, ask};
use crate::postgres_server::Version;
use crate::project::{assert_gone, assert_no_deputy, manifests, project, project_of_few_locks};
use crate::rules::{APPLY, cut_off, no_orphans, one_more_apply_ends_in_sync, secret_files};

/// The steps up to the drop, in their order.
const TO_ARCHIVE: [&str; 12] = [
    "after_locked_out",
    "before_begin",
    "after_deputy_is_made",
    "after_tables_are_locked",
    "after_program_is_started",
    "after_pg_dump",
    "while_dump_is_tried",
    "after_dump_is_tried",
    "before_dump_is_renamed",
    "after_dump_is_renamed",
    "before_manifest_is_renamed",
    "after_archive_is_whole",
];

/// Those from the drop on, when it is one transaction.
const TO_DROP: [&str; 5] =
    ["after_changes", "before_commit", "after_commit", "after_secret_deleted", "before_shared_after"];

const IN_PIECES: [&str; 6] = [
    "after_archive_is_whole",
    "after_batches_are_begun",
    "between_batches",
    "after_changes",
    "before_commit",
    "after_commit",
];

const TO_RESTORE: [&str; 12] = [
    "after_restore_is_begun",
    "after_deputy_is_made",
    "after_program_is_started",
    "after_pg_restore",
    "between_large_objects",
    "before_restored_is_active",
    "after_restored_is_active",
    "after_changes",
    "before_secret",
    "after_secret",
    "before_commit",
    "after_commit",
];

/// A fleet with one tenant that stays, and one after the other that goes.
struct Scene {
    fleet: Fleet,
    version: Version,
    /// More tables and large objects than fit the lock table.
    many: bool,
}

impl Scene {
    fn new(fleet: Fleet, version: Version, many: bool) -> Self {
        Self { fleet, version, many }
    }

    /// A key that no other test has, and its names in SQL.
    fn tenant(&self, n: usize) -> (String, String) {
        let name = format!("{}_{n}", self.fleet.database.name);
        (name.replace('_', "-"), name)
    }

    fn declare(&self, tenants: &str) {
        let stays = self.tenant(99).0;
        self.fleet.declare(&format!("{stays} = {{}}\n{tenants}"));
    }

    /// Made and filled. Returns what it holds.
    fn fill(&self, tenant: &str) -> String {
        self.declare(&format!("{tenant} = {{}}"));
        self.fleet.run(&APPLY).ends(0);
        let (tables, objects) = if self.many { (15, 300) } else { (1, 3) };
        let mut session = self.fleet.log_in(tenant);
        let one = |n| format!("CREATE TABLE t{n} (id int PRIMARY KEY); INSERT INTO t{n} VALUES ({n});");
        session.batch_execute(&(1..=tables).map(one).collect::<String>()).unwrap();
        let sql = format!(
            "INSERT INTO users (email) SELECT 'u' || n FROM generate_series(1, 500) n; CREATE TABLE blobs (id oid); \
             INSERT INTO blobs SELECT lo_from_bytea(0, convert_to('large ' || n, 'UTF8')) FROM generate_series(1, {objects}) n"
        );
        session.batch_execute(&sql).unwrap();
        self.contents(tenant)
    }

    /// All rows of its tables, and its large objects.
    fn contents(&self, tenant: &str) -> String {
        let mut session = self.fleet.log_in(tenant);
        let rows = "SELECT count(*), md5(string_agg(email, ',' ORDER BY email)), (SELECT id FROM t1), \
                    (SELECT md5(string_agg(id || convert_from(lo_get(id), 'UTF8'), ',' ORDER BY id)) FROM blobs) FROM users";
        ask(&mut session, rows)
    }

    /// The tenant's archives, the oldest first; all of them are whole.
    fn archives(&self, tenant: &str) -> Vec<PathBuf> {
        let of_tenant = manifests(&self.fleet).into_iter().filter(|(_, manifest)| manifest["tenant"] == tenant);
        of_tenant.map(|(path, _)| path).collect()
    }

    fn restore(&self, tenant: &str, archive: &Path) {
        // Goes without another archive when it is next taken out.
        self.declare(&format!("{tenant} = {{ on_remove = \"drop\" }}"));
        self.fleet.run(&["restore", "-y", archive.to_str().unwrap()]).ends(0);
    }

    #[track_caller]
    fn nothing_is_left_over(&self, at: &str) {
        no_orphans(&self.fleet, &self.fleet.database.name, &secret_files(&self.fleet), at);
        assert_no_deputy(&self.fleet);
    }

    #[track_caller]
    fn is_gone_and_in_its_archive(&self, (tenant, name): &(String, String), held: &str, at: &str) {
        assert_gone(&self.fleet, name);
        assert_eq!(self.fleet.ask("SELECT count(*) FROM pg_largeobject_metadata"), "0", "{at}");
        self.nothing_is_left_over(at);
        let newest = self.archives(tenant).pop().unwrap_or_else(|| panic!("{at}: no archive"));
        self.restore(tenant, &newest);
        assert_eq!(self.contents(tenant), *held, "{at}: restored from {}", newest.display());
    }

    fn at(&self, what: &str, point: &str) -> String {
        format!("{what} cut off at {point} on {:?}", self.version)
    }

    /// Cut off at each of the points, a removal is gone on with by one plain apply.
    fn removals(&self, what: &str, points: impl Iterator<Item = &'static str>) {
        for (n, point) in points.enumerate() {
            let (tenant, at) = (self.tenant(n), self.at(what, point));
            let held = self.fill(&tenant.0);
            self.declare("");
            assert!(cut_off(&self.fleet, &APPLY, point), "{at}: it never came there");
            one_more_apply_ends_in_sync(&self.fleet, &at);
            self.is_gone_and_in_its_archive(&tenant, &held, &at);
        }
    }
}

#[test]
fn a_removal_that_archives() {
    for version in BOTH {
        let scene = Scene::new(project(version, "cut_archive"), version, false);
        scene.removals("a removal", TO_ARCHIVE.into_iter().chain(TO_DROP));
    }
}

#[test]
fn a_removal_in_pieces() {
    for version in BOTH {
        let scene = Scene::new(project_of_few_locks(version, "cut_pieces"), version, true);
        scene.removals("a removal in pieces", IN_PIECES.into_iter());
    }
}

/// Told 40001 after its first archive, a removal makes a second one and is cut off while it deletes the first.
#[test]
fn a_removal_that_is_tried_again() {
    for version in BOTH {
        let scene = Scene::new(project(version, "cut_again"), version, false);
        let (tenant, at) = (scene.tenant(0), scene.at("a removal tried again", "after_archive_is_superseded"));
        let held = scene.fill(&tenant.0);
        scene.fleet.execute(
            "CREATE SCHEMA dba; CREATE SEQUENCE dba.asked;
             CREATE FUNCTION dba.refuses() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
               IF pg_catalog.nextval('dba.asked') = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; END $$;
             CREATE EVENT TRIGGER refuses ON ddl_command_start WHEN TAG IN ('DROP OWNED') EXECUTE FUNCTION dba.refuses()",
        );
        scene.declare("");
        assert!(cut_off(&scene.fleet, &APPLY, "after_archive_is_superseded"), "{at}: it never came there");
        one_more_apply_ends_in_sync(&scene.fleet, &at);
        assert_eq!(scene.archives(&tenant.0).len(), 2, "{at}: one of each run");
        scene.is_gone_and_in_its_archive(&tenant, &held, &at);
    }
}

/// Until the tenant is dropped it can be declared again, and has lost nothing.
#[test]
fn a_removal_that_is_taken_back() {
    let version = BOTH[1];
    let scene = Scene::new(project(version, "cut_back"), version, false);
    for (n, point) in TO_ARCHIVE.into_iter().chain(["before_commit"]).enumerate() {
        let (tenant, at) = (scene.tenant(n).0, scene.at("a removal taken back", point));
        let held = scene.fill(&tenant);
        scene.declare("");
        assert!(cut_off(&scene.fleet, &APPLY, point), "{at}: it never came there");
        scene.declare(&format!("{tenant} = {{ on_remove = \"drop\" }}"));
        one_more_apply_ends_in_sync(&scene.fleet, &at);
        assert_eq!(scene.contents(&tenant), held, "{at}");
        scene.nothing_is_left_over(&at);
        let whole = usize::from(["after_archive_is_whole", "before_commit"].contains(&point));
        assert_eq!(scene.archives(&tenant).len(), whole, "{at}");
    }
}

#[test]
fn a_restore() {
    for version in BOTH {
        let scene = Scene::new(project_of_few_locks(version, "cut_restore"), version, true);
        let names = scene.tenant(0);
        let tenant = names.0.as_str();
        let held = scene.fill(tenant);
        scene.declare("");
        scene.fleet.run(&APPLY).ends(0);
        let archive = scene.archives(tenant).pop().unwrap();
        let restore = ["restore", "-y", archive.to_str().unwrap()];
        for (n, point) in TO_RESTORE.into_iter().enumerate() {
            let at = scene.at("a restore", point);
            scene.declare(&format!("{tenant} = {{ on_remove = \"drop\" }}"));
            assert!(cut_off(&scene.fleet, &restore, point), "{at}: it never came there");
            let state = scene.fleet.ask(&format!("SELECT state FROM tenantry.tenants WHERE tenant = '{tenant}'"));
            if state == "restoring" {
                if n % 2 == 0 {
                    // Given up first.
                    scene.declare("");
                    one_more_apply_ends_in_sync(&scene.fleet, &at);
                    scene.is_gone_and_in_its_archive(&names, &held, &at);
                } else {
                    scene.restore(tenant, &archive);
                }
            }
            one_more_apply_ends_in_sync(&scene.fleet, &at);
            assert_eq!(scene.contents(tenant), held, "{at}");
            scene.nothing_is_left_over(&at);
            assert_eq!(scene.archives(tenant), std::slice::from_ref(&archive), "{at}");
            scene.declare("");
            scene.fleet.run(&APPLY).ends(0);
        }
    }
}

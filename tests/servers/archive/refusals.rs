//! What an archive could not give back is refused or told; and what `archive` takes is asked before it begins.

use super::project::{REMOVE, manifests, project, project_of_weak_admin, there_and_back};
use crate::fleet::{BOTH, ask};
use crate::postgres_server::Version;

#[test]
fn large_objects_of_an_owner_that_tenants_share_stay_where_they_are() {
    for version in BOTH {
        let fleet = project(version, "shared_lo");
        let declared = ["sl-one = { owner = \"sl_owner\" }", "sl-two = { owner = \"sl_owner\" }"];
        fleet.declare(&declared.join("\n"));
        fleet.applies_and_settles();
        fleet.log_in("sl-one").batch_execute("SELECT lo_from_bytea(0, 'one''s own')").unwrap();
        fleet.execute(
            "DO $$ BEGIN EXECUTE format('ALTER LARGE OBJECT %s OWNER TO sl_owner', lo_from_bytea(0, 'whose?')); END $$",
        );
        let theirs = "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata WHERE lomowner = 'sl_owner'::regrole";
        fleet
            .run(&["archive", "sl-one"])
            .ends(0)
            .says("1 large object of sl_owner left out: other tenants share that role");
        fleet.declare(declared[1]);
        fleet.run(&["plan", "-v"]).ends(0).says("1 large object of role sl_owner");
        let manifest = there_and_back(&fleet, declared[0], declared[1]);
        assert_eq!(manifest["large_objects"]["count"], 1);
        assert_eq!(manifest["large_objects_left_out"], 1);
        assert_eq!(fleet.ask(theirs), "whose?");
        let own = "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata WHERE lomowner = 'sl_one_user'::regrole";
        assert_eq!(ask(&mut fleet.log_in("sl-one"), own), "one's own");
    }
}

#[test]
fn an_extension_in_the_tenants_schema_stops_its_archive() {
    for version in BOTH {
        let fleet = project(version, "extension");
        fleet.declare("ex-one = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "CREATE EXTENSION pg_trgm SCHEMA tenant_ex_one; \
             CREATE INDEX ON tenant_ex_one.users USING gin (email tenant_ex_one.gin_trgm_ops)",
        );
        let said = "schema tenant_ex_one contains extensions (pg_trgm), which a dump of a schema leaves out";
        fleet.run(&["archive", "ex-one"]).ends(1).says(said).says("ALTER EXTENSION \"pg_trgm\" SET SCHEMA");
        fleet.declare("");
        fleet.run(&REMOVE).ends(1).says(said);
        assert!(manifests(&fleet).is_empty());
        fleet.log_in("ex-one").batch_execute("SELECT count(*) FROM users").unwrap();
        fleet.execute(
            "CREATE SCHEMA lookup; ALTER EXTENSION pg_trgm SET SCHEMA lookup; GRANT USAGE ON SCHEMA lookup TO PUBLIC",
        );
        there_and_back(&fleet, "ex-one = {}", "");
    }
}

#[test]
fn an_admin_that_lacks_a_right_is_told_which_statement_grants_it() {
    let fleet = project_of_weak_admin(Version::V18, "deputies_admin");
    fleet.declare("da-one = {}");
    fleet.applies_and_settles();
    fleet.execute("REVOKE da_one_owner FROM deputies_admin GRANTED BY postgres");
    let said = "deputies_admin is not a superuser and lacks ADMIN on da_one_owner; nothing was changed";
    let hint = "GRANT \"da_one_owner\" TO \"deputies_admin\" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE";
    // Until 15 CREATEROLE alone gives the right.
    if Version::V18.major() >= 16 {
        fleet.run(&["archive", "da-one"]).ends(1).says(said).says(hint);
        fleet.execute(hint);
    }
    fleet.run(&["archive", "da-one"]).ends(0);
}

/// A dump and its restore give every schema another OID, and the database too.
#[test]
fn a_tenant_of_a_database_that_was_restored_can_be_archived_before_an_apply() {
    for version in BOTH {
        let fleet = project(version, "moved_oids");
        fleet.declare("mo-one = {}");
        fleet.applies_and_settles();
        fleet.execute("UPDATE tenantry.tenants SET schema_oid = 1");
        fleet.run(&["archive", "mo-one"]).ends(1).says("its schema was registered with the OID 1, but schema");
        // No database has this OID.
        fleet.execute("UPDATE tenantry.identity SET database_oid = 2");
        fleet.run(&["archive", "mo-one"]).ends(0);
    }
}

/// docs/isolation.md says how to keep tenants from large objects; what restores them is a member of the tenants' group role.
#[test]
fn large_objects_that_nobody_may_create_are_told_before_anything_is() {
    for version in BOTH {
        let fleet = project(version, "lo_revoked");
        fleet.declare("lr-one = {}");
        fleet.applies_and_settles();
        fleet.log_in("lr-one").batch_execute("SELECT lo_from_bytea(0, 'kept')").unwrap();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        let (path, _) = manifests(&fleet).pop().unwrap();
        fleet.execute(
            "REVOKE EXECUTE ON FUNCTION pg_catalog.lo_create(oid), pg_catalog.lo_creat(integer), pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC",
        );
        fleet.declare("lr-one = {}");
        let restore = ["restore", "-y", path.to_str().unwrap()];
        let run = fleet.run(&restore).ends(1).says("tenants may not call pg_catalog.lo_create(oid) in this database");
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname ~ '^lr_one'"), "0");
        let (_, grant) = run.stderr.split_once("as a superuser, in this database: ").unwrap();
        let (grant, revoke) = grant.split_once("   restore, and then: ").unwrap();
        fleet.execute(grant);
        fleet.run(&restore).ends(0);
        fleet.execute(revoke.lines().next().unwrap());
        assert_eq!(fleet.ask("SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata"), "kept");
        fleet.settled();
    }
}

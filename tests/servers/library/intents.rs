//! Rotating, archiving and restoring, by the library.

use tenantry::{Consent, Guard, Intent, Options, Which, archive};

use super::{apply, open};
use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::{Version, pg_dump_dir};

fn rotating(fleet: &Fleet, which: Which) -> Result<tenantry::Planned, tenantry::Error> {
    open(fleet, Options::default()).lock().unwrap().plan(Intent::Rotate(which))
}

#[test]
fn a_rotation_renews_the_passwords_that_were_named() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "rotated");
        fleet.declare("ro-one = {}\nro-two = {}\nro-given = { password_from = \"given to all who ask\" }");
        apply(&fleet, &[]);
        let before = [fleet.secret("ro-one"), fleet.secret("ro-two")];
        let error = rotating(&fleet, Which::Named(vec!["ro-won".into()])).err().unwrap();
        assert_eq!(error.guard(), Some(&Guard::Declared { tenant: "ro-won".into() }), "{error}");
        let planned = rotating(&fleet, Which::Named(vec!["ro-one".into()])).unwrap();
        assert!(planned.approve(&[]).unwrap().apply(&()).unwrap().is_success());
        assert_ne!(fleet.secret("ro-one")["password"], before[0]["password"]);
        assert_eq!(fleet.secret("ro-two"), before[1]);
        let planned = rotating(&fleet, Which::All).unwrap();
        assert_eq!(planned.notes(), ["1 tenant left out: the password comes from password_from"]);
        assert_eq!(planned.plan().tenants.len(), 2);
        let day = std::time::Duration::from_secs(86_400);
        drop(planned);
        assert!(rotating(&fleet, Which::OlderThan(day)).unwrap().plan().tenants.is_empty());
        fleet.settled();
    }
}

/// A fleet whose archives are made by programs that fit its server.
fn archiving(version: Version, name: &str, tenant: &str) -> Fleet {
    let mut fleet = Fleet::usual(version, name);
    fleet.head = "[defaults]\non_remove = \"archive\"\n".into();
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), pg_dump_dir(version));
    fleet.declare(&format!("{tenant} = {{}}"));
    apply(&fleet, &[]);
    fleet.log_in(tenant).batch_execute("INSERT INTO users (email) VALUES ('a@b')").unwrap();
    fleet
}

#[test]
fn a_tenant_is_archived_removed_and_restored() {
    for version in BOTH {
        let fleet = archiving(version, "archived", "ar-one");
        let unknown = open(&fleet, Options::default()).archive("ar-won", None, &()).err().unwrap();
        assert_eq!(unknown.guard(), Some(&Guard::Registered { tenant: "ar-won".into() }), "{unknown}");
        let archived = open(&fleet, Options::default()).archive("ar-one", None, &()).unwrap();
        let file = archived.archive.manifest_path;
        let restoring = || {
            let opened = Box::new(archive::open(&file).unwrap());
            open(&fleet, Options::default()).lock().unwrap().plan(Intent::Restore(opened))
        };
        let error = restoring().err().unwrap();
        assert_eq!(error.guard(), Some(&Guard::Restorable), "{error}");
        assert!(error.to_string().contains("tenant ar-one already exists"), "{error}");
        fleet.declare("");
        apply(&fleet, &[Consent::Removals(1)]);
        fleet.declare("ar-one = {}");
        let report = restoring().unwrap().approve(&[]).unwrap().apply(&()).unwrap();
        assert!(report.is_success(), "{report:?}");
        let rows = crate::fleet::ask(&mut fleet.log_in("ar-one"), "SELECT email FROM users");
        assert_eq!(rows, "a@b");
        fleet.settled();
    }
}

/// Its plan is blocked for everybody else, and names the restore as the way out.
#[test]
fn a_restore_that_was_cut_off_is_started_over() {
    let fleet = archiving(BOTH[0], "cut_off", "cu-one");
    let file = open(&fleet, Options::default()).archive("cu-one", None, &()).unwrap().archive.manifest_path;
    let restoring = || {
        let opened = Box::new(archive::open(&file).unwrap());
        open(&fleet, Options::default()).lock().unwrap().plan(Intent::Restore(opened)).unwrap()
    };
    fleet.execute("DELETE FROM tenant_cu_one.users; UPDATE tenantry.tenants SET state = 'restoring'");
    assert!(restoring().has_work());
    // Its secret is written, so whose it is matters as for any other.
    fleet.execute("UPDATE tenantry.identity SET system_identifier = '4711' || system_identifier");
    let error = restoring().approve(&[]).err().unwrap();
    assert_eq!(error.guard(), Some(&Guard::ItsSecrets), "{error}");
    fleet.execute("UPDATE tenantry.identity SET system_identifier = substr(system_identifier, 5)");
    let report = restoring().approve(&[]).unwrap().apply(&()).unwrap();
    assert!(report.is_success(), "{report:?}");
    let rows = crate::fleet::ask(&mut fleet.log_in("cu-one"), "SELECT email FROM users");
    assert_eq!(rows, "a@b");
    fleet.settled();
}

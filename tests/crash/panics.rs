//! What a panic in the middle of an apply says.

use crate::life::{Life, fleet};
use crate::postgres_server::Version;

#[test]
fn a_panic_tells_no_secret() {
    let mut life = Life::of(fleet(Version::V18, "plain_panic"), Version::V18);
    life.fleet.migration("V1__t.sql", "CREATE TABLE t ();");
    life.fleet.declare("np-a = {}\nnp-b = { password_from = \"${GIVEN}\" }");
    life.fleet.env.insert("FAILPOINTS".into(), "after_secret=panic(boom)".into());
    life.fleet.env.insert("RUST_BACKTRACE".into(), "full".into());
    let run = life.tenantry(&["apply", "-y", "-vv"]);
    assert_ne!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("boom"), "{}", run.stderr);
    life.fleet.env.remove("FAILPOINTS");
    life.tenantry(&["apply", "-y", "-vv"]).ends(0);
    life.nothing_leaked();
}

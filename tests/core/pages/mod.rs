//! What people and programs read: one document with something of everything in it, in each form; `tests/snapshots/` has them.
//!
//! `INSTA_UPDATE=always cargo test --test core pages` writes them anew.

mod of_a_tenant;
mod of_plans;
mod of_runs;
mod of_shapes;

use tenantry::model::TenantKey;

/// With the colours, so that a person can read them too.
fn with_colours(text: &str) -> String {
    text.replace('\u{1b}', "␛")
}

fn key(name: &str) -> TenantKey {
    TenantKey::new(name).unwrap()
}

#[track_caller]
fn assert_is_snapshot(name: &str, text: &str) {
    insta::with_settings!({snapshot_path => "../../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, text);
    });
}

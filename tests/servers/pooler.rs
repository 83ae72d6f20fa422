//! Behind a pooler: sessions are well, pooled transactions are refused.

use crate::fleet::{BOTH, Fleet};
use crate::pgbouncer::PgBouncer;

fn behind(fleet: &mut Fleet, pooler: &PgBouncer) {
    let port = fleet.database.server.port();
    fleet.url = fleet.database.url.replace(&format!(":{port}/"), &format!(":{}/", pooler.port));
    fleet.head = format!("[database]\nadvertise = {{ host = \"127.0.0.1\", port = {port} }}\n");
}

#[test]
fn a_pooler_in_transaction_mode_is_refused_and_nothing_is_changed() {
    for version in BOTH {
        // A server session for each client that works, the same for all, and any of several.
        for more in ["", "default_pool_size = 1", "server_round_robin = 1\nmin_pool_size = 4"] {
            let mut fleet = Fleet::usual(version, "pooled");
            let pooler = PgBouncer::before(&fleet.database.server, "transaction", more);
            behind(&mut fleet, &pooler);
            fleet.declare("po-one = {}\npo-two = {}");
            fleet
                .try_apply()
                .ends(1)
                .says("the connection goes through a pooler in transaction mode")
                .says("a pool in session mode");
            assert_eq!(fleet.ask("SELECT to_regnamespace('tenantry')::text"), "-");
        }
    }
}

#[test]
fn a_pooler_in_session_mode_is_as_good_as_none() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "sessions");
        let pooler = PgBouncer::before(&fleet.database.server, "session", "");
        behind(&mut fleet, &pooler);
        fleet.declare("ps-one = {}\nps-two = {}");
        fleet.applies_and_settles();
    }
}

//! refinery's checksum, as its feature `int8-versions` computes it; the crate has either that or the one for 32 bits.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::Version;

/// Of the version as refinery has it without that feature: of 32 bits.
pub(super) fn short_checksum(name: &str, version: Version, sql: &str) -> Option<u64> {
    Some(sum(name, i32::try_from(version).ok()?, sql))
}

/// SipHash of name, version and text.
pub(super) fn checksum(name: &str, version: Version, sql: &str) -> u64 {
    sum(name, version, sql)
}

fn sum(name: &str, version: impl Hash, sql: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    version.hash(&mut hasher);
    sql.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_refinerys() {
        let refinery = refinery_core::Migration::unapplied("V7__create_users.sql", "CREATE TABLE users ();").unwrap();
        assert_eq!(sum("create_users", 7_i32, "CREATE TABLE users ();"), refinery.checksum());
    }

    /// What refinery-core 0.10.1 with `int8-versions` says of V20240101120000__create_users.sql.
    #[test]
    fn it_is_that_of_long_versions() {
        assert_eq!(checksum("create_users", 20_240_101_120_000, "CREATE TABLE users ();"), 7_297_618_897_044_614_456);
    }
}

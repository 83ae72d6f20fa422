//! `rotation` and `rotate_after`: who logs in for a tenant, and how old its password may become.

use std::time::Duration;

use super::duration::duration;
use super::fault::Faults;
use super::places::Places;
use super::raw::RawTenant;
use crate::core::model::{LONGEST_USERNAME_OF_TWO, Rotation, TenantKey};

/// `path`: where a key is written, in the tenant itself or in what it takes over.
pub(super) fn resolve<'p>(
    key: &TenantKey,
    username: &str,
    (own, defaults): (&RawTenant, &RawTenant),
    path: &dyn Fn(bool, &'static str) -> Vec<&'p str>,
    places: &Places<'_>,
    faults: &mut Faults,
) -> (Rotation, Option<Duration>) {
    let at = |own: bool, field| places.value(&path(own, field));
    let rotation = own.rotation.or(defaults.rotation).unwrap_or_default();
    if rotation == Rotation::TwoUser {
        if username.len() > LONGEST_USERNAME_OF_TWO {
            faults.push(
                places.value(&["tenants", key.as_str()]),
                format!(
                    "the username {username:?} has {} bytes, which leaves no room for \"_a\" and \"_b\"",
                    username.len()
                ),
                Some(format!(
                    "with rotation = \"two-user\" it may have {LONGEST_USERNAME_OF_TWO} bytes: set username = …"
                )),
            );
        }
        if own.password_from.is_some() || defaults.password_from.is_some() {
            faults.push(
                at(own.password_from.is_some(), "password_from"),
                format!("password_from gives tenant {key} one password, but rotation = \"two-user\" takes two in turn"),
                Some("omit password_from to have them generated, or set rotation = \"single\"".into()),
            );
        }
    }
    let rotate_after = own.rotate_after.as_deref().or(defaults.rotate_after.as_deref());
    let rotate_after = rotate_after.and_then(|text| {
        let at = at(own.rotate_after.is_some(), "rotate_after");
        duration(text).map_err(|message| faults.push(at, message, Some("write it as \"30d\"".into()))).ok()
    });
    (rotation, rotate_after)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::core::config::fault::tests_support::messages;
    use crate::core::config::parse;

    #[test]
    fn a_username_leaves_room_for_its_two_users() {
        let of = |bytes: usize, rotation: &str| {
            let name = "u".repeat(bytes);
            messages(&format!("[tenants]\na = {{ username = \"{name}\", rotation = \"{rotation}\" }}\n"))
        };
        assert_eq!([of(61, "two-user"), of(62, "single")], [[""; 0], [""; 0]]);
        let fault = of(62, "two-user");
        assert!(
            matches!(&fault[..], [fault] if fault.ends_with("has 62 bytes, which leaves no room for \"_a\" and \"_b\"")),
            "{fault:?}"
        );
    }

    #[test]
    fn a_given_password_is_one_and_two_users_take_two() {
        let given = "password_from = \"a password that is given\"";
        let two = "rotation = \"two-user\"";
        let one = |keys: &str| messages(&format!("[tenants]\na = {{ {keys} }}\n"));
        assert_eq!(one(&format!("{given}, {two}")).len(), 1);
        assert_eq!([one(given), one(two)], [[""; 0], [""; 0]]);
        assert_eq!(messages(&format!("[defaults]\n{given}\n[tenants]\na = {{ {two} }}\n")).len(), 1);
    }

    #[test]
    fn the_tenants_own_age_of_a_password_wins_over_that_of_all() {
        let source = "[defaults]\nrotate_after = \"30d\"\n[tenants]\na = {}\nb = { rotate_after = \"12h\" }\n";
        let tenants = parse("t.toml", source, &|_| None).unwrap().tenants;
        let ages: Vec<_> = tenants.values().map(|tenant| tenant.rotate_after).collect();
        assert_eq!(ages, [30 * 24, 12].map(|hours| Some(Duration::from_secs(hours * 60 * 60))));
    }
}

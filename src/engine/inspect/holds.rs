//! What keeps PostgreSQL from dropping a role.

use std::collections::BTreeMap;

use postgres::GenericClient;

use crate::core::model::{Gift, Given, Hold};
use crate::engine::database::{Ask, Record};
use crate::engine::error::{Context, Error};

/// By role, in a fixed order; roles that nothing keeps are left out. `roles`: each with the schema that goes with it. `admin`:
/// who would take things away.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn holds(
    client: &mut impl GenericClient,
    roles: &[(String, String)],
    admin: &str,
) -> Result<BTreeMap<String, Vec<Hold>>, Error> {
    let doing = "looking for what keeps the roles from being dropped";
    let names: Vec<&str> = roles.iter().map(|(role, _)| role.as_str()).collect();
    let schemas: Vec<&str> = roles.iter().map(|(_, schema)| schema.as_str()).collect();
    let mut found: BTreeMap<String, Vec<Hold>> = BTreeMap::new();
    for row in client.ask(include_str!("sql/holds.sql"), &[&names, &schemas, &admin]).doing(doing)? {
        found.entry(row.get("role")).or_default().push(hold(&row));
    }
    for row in client.ask(include_str!("sql/holds_abroad.sql"), &[&names]).doing(doing)? {
        let hold = Hold::Abroad { database: row.get("database"), owned: row.get("owned"), granted: row.get("granted") };
        found.entry(row.get("role")).or_default().push(hold);
    }
    Ok(found)
}

fn hold(row: &Record) -> Hold {
    let (kind, identity) = (row.get("kind"), row.get("identity"));
    let gift = match row.get::<_, &str>("how") {
        "owned" => return Hold::Owned { kind, identity },
        "policy" => {
            Gift::Policy { name: row.get::<_, Option<String>>("policy").unwrap_or_default(), others: row.get("others") }
        }
        "future" => Gift::Future {
            plural: row.get::<_, Option<String>>("plural").unwrap_or_default(),
            privileges: row.get("privileges"),
        },
        _ => Gift::Privileges(row.get("privileges")),
    };
    Hold::Given(Given {
        by: row.get::<_, Option<String>>("by").unwrap_or_default(),
        kind,
        identity,
        schema: row.get("schema"),
        gift,
        ours: row.get("ours"),
        reaches: row.get("reaches"),
    })
}

//! The tenant's schema: there, and owned by the right role.

use std::borrow::Cow;

use crate::core::plan::action::{CreateSchema, Owned, SetOwner};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::hazard::HazardKind;

/// What follows plans on the schema as it is once it has changed hands.
pub(in crate::core::plan) fn diff(facts: &mut Facts<'_>, findings: &mut Findings) {
    let (schema, owner) = (&facts.tenant.schema, facts.tenant.owner());
    match &mut facts.current.schema {
        None => {
            findings.change(CreateSchema { schema: schema.clone(), owner: owner.to_owned() });
            if facts.registered.is_some() && facts.adoption.is_none() {
                findings.hazard(
                    HazardKind::DataLost,
                    format!("schema {schema} existed at the last apply and is gone; it is created again, empty except for what the migrations create"),
                );
            }
        }
        Some(found) if found.owner != owner => {
            let from = found.owner.clone();
            Cow::to_mut(found).acl = found.acl.handed_over(&from, owner);
            findings.change(SetOwner { of: Owned::Schema(schema.clone()), from, to: owner.to_owned() });
        }
        Some(_) => {}
    }
}

//! The JSON schemas of the documents, made from the types that are printed. What is printed follows them; fields may be
//! added, so they allow what they do not name.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::Value;

use crate::core::plan::{Document, Saved};

/// Of what is written, not of what would be read: a field that is always there is required.
fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

/// `plan` and `drift --format json`, `show` of a tenant and of a saved plan; `#/$defs/SavedPlan` is the file of
/// `plan --out`, which has a few fields more.
#[must_use]
pub fn plan() -> Value {
    let mut generator = generator();
    generator.subschema_for::<Saved>();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    if let Some(saved) = schema.pointer_mut("/$defs/SavedPlan").and_then(Value::as_object_mut) {
        saved.shift_remove("additionalProperties");
    }
    schema
}

/// `apply --format json`.
#[cfg(feature = "engine")]
#[must_use]
pub fn report() -> Value {
    generator().into_root_schema_for::<super::report::Document>().to_value()
}

/// `list --format json`.
#[must_use]
pub fn list() -> Value {
    let mut schema = generator().into_root_schema_for::<Vec<super::list::ListRow>>();
    schema.insert("title".into(), "The fleet, as tenantry list prints it".into());
    schema.to_value()
}

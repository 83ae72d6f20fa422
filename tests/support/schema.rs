//! Documents held against their published schemas.

use serde_json::Value;

/// `schema` is a file of docs/, with a `#/$defs/…` if need be. Strictly: what the schema does not name is an error here,
/// though users' validators let it pass.
#[track_caller]
pub fn assert_fits(document: &Value, schema: &str) {
    let (file, place) = schema.split_once('#').unwrap_or((schema, ""));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    let mut published: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(
        faults(document, &published, place).is_none(),
        "{schema}: {}",
        faults(document, &published, place).unwrap()
    );
    close(&mut published);
    assert!(
        faults(document, &published, place).is_none(),
        "{schema}: {}",
        faults(document, &published, place).unwrap()
    );
}

fn faults(document: &Value, schema: &Value, place: &str) -> Option<String> {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("schema.json", schema.clone()).unwrap();
    let index = compiler.compile(&format!("schema.json#{place}"), &mut schemas).unwrap();
    schemas.validate(document, index).err().map(|error| format!("{error:#}"))
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") {
                object.insert("additionalProperties".into(), false.into());
            }
            object.values_mut().for_each(close);
        }
        Value::Array(array) => array.iter_mut().for_each(close),
        _ => {}
    }
}

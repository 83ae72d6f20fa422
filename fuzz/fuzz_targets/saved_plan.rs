//! A saved plan: anything is read or refused; what has our digest comes back as it was, and shows no more than it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::LazyLock;
use tenantry::config::parse;
use tenantry::model::Observed;
use tenantry::plan::{Plan, Saved, digest};
use tenantry::render::{Style, text};

/// What this version writes, to know what it calls itself.
static EMPTY: LazyLock<Value> = LazyLock::new(|| {
    let desired = parse("t.toml", "[tenants]", &|_| None).expect("it is valid").with_migrations(Default::default());
    let saved = Saved::new(&Plan::default(), &desired, &Observed::default(), "", (&[], false));
    serde_json::from_str(&saved.to_json()).expect("it is JSON")
});

fuzz_target!(|bytes: &[u8]| {
    let _ = Saved::parse(bytes);
    // Past the digest, which no fuzzer guesses.
    let Ok(Value::Object(mut file)) = serde_json::from_slice::<Value>(bytes) else { return };
    for key in ["format_version", "tenantry_version"] {
        file.insert(key.into(), EMPTY[key].clone());
    }
    file.shift_remove("digest");
    let digest = digest(&Value::Object(file.clone()).to_string());
    file.insert("digest".into(), digest.into());
    if let Ok(saved) = Saved::parse(Value::Object(file).to_string().as_bytes()) {
        let again = Saved::parse(saved.to_json().as_bytes()).expect("what we write we read");
        assert_eq!(again.to_json(), saved.to_json());
        let _ = text::plan(&saved.into_document(), &Style::default());
    }
});

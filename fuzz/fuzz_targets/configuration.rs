//! tenants.toml: whatever it holds is taken or is a fault with a place inside the file, and the same each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tenantry::config::parse;

/// Stands for a credential; no message may show it.
const HIDDEN: &str = "QzXvHidden";

fuzz_target!(|source: &str| {
    let env = |name: &str| name.starts_with('A').then(|| HIDDEN.to_owned());
    match parse("t.toml", source, &env) {
        Ok(configuration) => {
            for (key, tenant) in &configuration.tenants {
                assert_eq!(key, &tenant.key);
                assert!(tenant.schema.len() <= 63 && tenant.username.len() <= 63 && tenant.owner_role.len() <= 63);
                assert!(tenant.secret_path.contains(key.as_str()));
            }
        }
        Err(error) => {
            assert!(!error.faults.is_empty());
            assert!(!error.to_string().is_empty());
            for span in error.faults.iter().filter_map(|fault| fault.span.as_ref()) {
                assert!(span.start <= span.end && span.end <= source.len(), "{span:?}");
                assert!(source.is_char_boundary(span.start) && source.is_char_boundary(span.end), "{span:?}");
            }
            assert_eq!(parse("t.toml", source, &env).unwrap_err(), error);
        }
    }
});

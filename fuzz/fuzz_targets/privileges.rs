//! An aclitem, which holds names that tenants chose: read, and the same after it was written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tenantry::model::{Acl, AclItem, Grantee, ident, literal};

fuzz_target!(|text: &str| {
    let _ = Acl::parse(&[text], "owner");
    let (ident, literal) = (ident(text), literal(text));
    if let Ok(item) = text.parse::<AclItem>() {
        assert!(item.grantable.is_subset(&item.privileges));
        if let Grantee::Role(name) = &item.grantee {
            let quoted = format!("\"{}\"=r/\"{}\"", name.replace('"', "\"\""), item.grantor.replace('"', "\"\""));
            let again: AclItem = quoted.parse().expect("a quoted name is a name");
            assert_eq!((again.grantee, again.grantor), (item.grantee, item.grantor));
        }
    }
    // PostgreSQL's own rule for both (manual, "Lexical Structure"): a quote inside is written twice.
    if !text.contains('\0') {
        let inner = ident.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("an identifier is quoted");
        assert_eq!(inner.replace("\"\"", "\""), text);
        assert!(literal.ends_with('\''));
    }
});

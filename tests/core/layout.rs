//! The layers that ARCHITECTURE.md draws: the core imports only the core, the engine never the command line.

use std::path::Path;

use regex::Regex;

#[test]
fn a_layer_imports_nothing_of_those_above_it() {
    let root = Regex::new(r"\bcrate::(\w+)").unwrap();
    let mut read = 0;
    for (layer, below) in [("core", &["core"][..]), ("engine", &["core", "engine"])] {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer);
        for entry in walkdir::WalkDir::new(src) {
            let entry = entry.unwrap();
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let wrong = root.captures_iter(&text).find(|found| !below.contains(&&found[1]));
                assert!(wrong.is_none(), "{} names {}", entry.path().display(), &wrong.unwrap()[0]);
                read += 1;
            }
        }
    }
    assert!(read > 150, "only {read} files were found");
}

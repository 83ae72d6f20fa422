//! What the library's door promises (docs/library.md): it knows of the caller's surroundings what it is given, the command
//! line knows of it what everybody knows, and nothing public goes around it.

use std::path::Path;

use regex::Regex;

/// The code of this directory, but for comments and for the tests at the ends of files.
fn sources(dir: &str) -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = walkdir::WalkDir::new(src.join(dir)).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    let read = |entry: walkdir::DirEntry| {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code: String = code.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("//")).collect();
        (entry.path().strip_prefix(&src).unwrap().display().to_string(), code)
    };
    let found: Vec<_> = files.map(read).collect();
    assert!(found.len() > 10, "only {} files in {dir}", found.len());
    found
}

#[test]
fn the_command_line_names_nothing_that_is_the_librarys_own() {
    let root = Regex::new(r"\bcrate::(\w+)").unwrap();
    for (file, code) in sources("cli") {
        let wrong = root.captures_iter(&code).find(|found| &found[1] != "cli");
        assert!(wrong.is_none(), "{file} names {}", &wrong.unwrap()[0]);
    }
}

/// A sandbox is a development tool that looks for an installed PostgreSQL by itself.
#[test]
fn the_library_reads_no_environment_and_uses_no_terminal() {
    let surroundings = Regex::new(
        r"\benv::(var|vars|var_os|vars_os|home_dir|current_dir|args)\b|\bIsTerminal\b|\bio::(stdin|stdout|stderr)\b|\bset_handler\b",
    )
    .unwrap();
    for (file, code) in ["core", "engine", "tenantry"].into_iter().flat_map(sources) {
        let looks = file.starts_with("engine/sandbox/") || file == "engine/installed.rs";
        let found = surroundings.find(&code).filter(|_| !looks);
        assert!(found.is_none(), "{file}: {}", found.unwrap().as_str());
    }
}

/// Whoever could name these could write without a guard.
#[test]
fn what_writes_to_tenants_is_not_public() {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for module in ["core", "engine", "tenantry"] {
        assert!(lib.contains(&format!("\nmod {module};")), "{module} is public");
    }
    let writes = Regex::new(
        r"\b(apply|registry|inspect|deep|project|Apply|Lock|Restore|Live|Deputy|WritableStore|WritableAccess|check_\w+)\b|\bengine::\{[^}]*\bsecrets\b",
    )
    .unwrap();
    let exported = lib.lines().filter(|line| !line.trim_start().starts_with("//"));
    let exported = exported.map(|line| line.replace("registry::Recovery", "Recovery")).collect::<Vec<_>>().join("\n");
    // For the tests of the stores, and in no documentation.
    let for_tests = "#[doc(hidden)]\npub mod unguarded {\n    pub use crate::engine::secrets::WritableStore;\n}";
    assert!(exported.contains(for_tests), "src/lib.rs has changed: {exported}");
    let exported = exported.replace(for_tests, "");
    let found = writes.find(&exported);
    assert!(found.is_none(), "src/lib.rs shows {}", found.unwrap().as_str());
}

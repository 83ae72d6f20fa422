//! tenants.toml.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::Project;

/// `[tenants]` with so many, whose lines end as given.
fn tenants(n: usize, line: &str) -> String {
    (0..n).fold("[tenants]\n".to_owned(), |text, n| text + &format!("t{n}{line}\n"))
}

#[test]
fn a_file_of_100_mb_is_refused_before_it_is_read() {
    let project = Project::new(tenants(1000, " = {}"));
    let file = fs::File::options().write(true).open(project.path().join("tenants.toml")).unwrap();
    file.set_len(100 * 1024 * 1024).unwrap();
    project.validate("tenants.toml").refuses(&["tenants.toml: is larger than 64 MB"]);
}

#[test]
fn what_is_no_file_is_named_as_what_it_is() {
    let project = Project::new("");
    let path = |name: &str| project.path().join(name);
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(path("socket")).unwrap();
    symlink("loop", path("loop")).unwrap();
    symlink("gone", path("dangling")).unwrap();
    project.validate("migrations").refuses(&["migrations: is a directory, not a file", "save the text in a file"]);
    for name in ["pipe", "socket", "/dev/zero", "/dev/stdin"] {
        project.validate(name).refuses(&[name, "is a device, a pipe or a socket, not a file"]);
    }
    project.validate("loop").refuses(&["loop: cannot be read: Too many levels of symbolic links"]);
    project.validate("dangling").refuses(&["dangling: there is no such file", "tenantry init"]);
    project.validate("tenants.toml/x").refuses(&["tenants.toml/x: cannot be read: Not a directory"]);
}

#[test]
fn a_million_tenants_are_read_and_the_faults_of_thirty_thousand() {
    let many = 30_000;
    Project::new(tenants(1_000_000, " = {}")).validate("tenants.toml").takes();
    let more = "more than 100 faults in tenants.toml";
    let one = format!("[defaults]\nschema = \"one\"\n{}", tenants(many, " = {}"));
    Project::new(one).validate("tenants.toml").refuses(&["have the same schema", "there are more faults", more]);
    Project::new(tenants(many, " = { acces = 1 }")).validate("tenants.toml").refuses(&["\"acces\"", more]);
    Project::new(tenants(many, " = {")).validate("tenants.toml").refuses(&["unclosed inline table"]);
    Project::new(tenants(many, "X = {}")).validate("tenants.toml").refuses(&["a tenant's key starts with", more]);
}

#[test]
fn what_nests_too_deeply_is_a_fault_and_not_the_end_of_the_stack() {
    let deep = 50_000;
    for text in [
        format!("x = {}", "[".repeat(deep)),
        format!("x = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("x = {}", "{a=".repeat(deep)),
        format!("x = {}1{}", "{a=".repeat(deep), "}".repeat(deep)),
        format!("x{} = 1", ".a".repeat(deep)),
        format!("[x{}]", ".a".repeat(deep)),
        format!("[[x{}]]", ".a".repeat(deep)),
    ] {
        Project::new(text).validate("tenants.toml").refuses(&["tenants.toml:", "recurs"]);
    }
}

#[test]
fn one_line_of_many_megabytes_is_shown_in_part() {
    let long = "x".repeat(4 * 1024 * 1024);
    for text in [
        format!("[tenants]\n{long} = {{}}\n"),
        format!("[tenants]\nacme = {{ {long} = 1 }}\n"),
        format!("[tenants]\nacme = {{ schema = \"{long}\" }}\n"),
        format!("[tenants]\nacme = {{ access = \"{long}\" }}\n"),
        format!("[tenants]\nacme = {{ schema = \"${{{long}}}\" }}\n"),
        format!("[{long}]\n"),
        format!("{long}\n"),
        format!("[migrations]\nlock_timeout = \"{long}\"\n"),
    ] {
        Project::new(text).validate("tenants.toml").refuses(&["tenants.toml:"]);
    }
}

#[test]
fn bytes_that_are_no_text_are_named_with_their_line() {
    let refuses = |text: &[u8], words: &[&str]| Project::new(text).validate("tenants.toml").refuses(words);
    refuses(b"[tenants]\nacme = {}\n# caf\xe9\n", &["tenants.toml: line 3 is not UTF-8", "save the file as UTF-8"]);
    refuses(b"\xff\xfe[\0t\0]\0", &["tenants.toml: line 1 is not UTF-8"]);
    refuses(b"[tenants]\nac\0me = {}\n", &["tenants.toml:2:"]);
    refuses(b"[tenants]\nacme = { schema = \"a\0b\" }\n", &["tenants.toml:2:"]);
    for field in ["schema", "username", "owner"] {
        let text = format!("[tenants]\nacme = {{ {field} = \"a\\u0000b\" }}\n");
        refuses(text.as_bytes(), &["tenants.toml:2:", "NUL"]);
    }
    refuses(b"[tenants]\nacme = { settings = { work_mem = \"1\\u0000\" } }\n", &["tenants.toml:2:", "NUL"]);
    Project::new("\u{feff}[tenants]\r\nacme = {}\r\n").validate("tenants.toml").takes();
    Project::new("").validate("tenants.toml").takes();
}

#[test]
fn what_is_said_twice_or_comes_to_one_name_is_a_fault_at_its_place() {
    let refuses = |text: &str, words: &[&str]| Project::new(text).validate("tenants.toml").refuses(words);
    refuses("[tenants]\nacme = {}\nacme = {}\n", &["tenants.toml:3:1: duplicate key"]);
    refuses("[tenants.acme]\n[tenants.acme]\n", &["tenants.toml:2:"]);
    refuses("[tenants]\nacme = { access = \"full\", access = \"owner\" }\n", &["duplicate key"]);
    // "-" becomes "_" in names.
    refuses("[tenants]\na-b = {}\na_b = {}\n", &["tenants.toml:3:1: tenants a-b and a_b have the same schema"]);
    let shared =
        "[defaults]\nschema = \"{tenant}\"\nusername = \"{tenant}\"\nowner = \"{tenant}\"\n[tenants]\na = {}\n";
    refuses(shared, &["username and owner are both \"a\""]);
    let of_another = "[defaults]\nusername = \"u_{tenant}\"\n[tenants]\na = { owner = \"u_b\" }\nb = {}\n";
    refuses(of_another, &["tenants.toml:5:1: username \"u_b\" of tenant b is also the owner of tenant a"]);
    refuses(
        "[tenants]\na = {}\nb = { schema = \"tenant_a\" }\n",
        &["tenants a and b have the same schema, \"tenant_a\""],
    );
    // Names of other letters are other names, as PostgreSQL takes quoted ones.
    Project::new("[tenants]\na = { schema = \"B\" }\nb = { schema = \"b\" }\n").validate("tenants.toml").takes();
}

#[test]
fn what_is_drawn_of_a_file_gives_no_orders_to_a_terminal_or_a_ci_system() {
    let text = "[tenants]\na = { schema = \"##vso[task.complete]\", access = \"fu\u{202e}ll\" }\n\
                b = { access = \"x\\n::error::y\\u001b[31m\" }\r\nc = { access = \"\"\"\n::error::z\"\"\" }\n\
                \"d\\n::warning::\u{200b}\" = {}\n\te = { access = \"##[error]\" }\n";
    let project = Project::new(text);
    for format in ["text", "json"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        crate::snapshot::isolate(&mut command, project.path());
        let output = command.args(["validate", "--format", format]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for order in ["\u{202e}", "\u{200b}", "\u{1b}", "##vso[", "##["] {
            assert!(format == "json" && order.starts_with('#') || !said.contains(order), "{order:?} is in {said}");
        }
        assert!(said.lines().all(|line| !line.trim_start().starts_with("::")), "{said}");
        assert!(
            format == "json" || said.contains(r#"schema = "\u{23}#vso[task.complete]", access = "fu\u{202e}ll""#),
            "{said}"
        );
    }
}

#[test]
fn numbers_and_types_are_refused_in_tomls_words() {
    let refuses = |text: &str, words: &[&str]| Project::new(text).validate("tenants.toml").refuses(words);
    let port = "out of range, expected a whole number from 0 to 65535";
    refuses("[database]\nadvertise = { port = 70000 }\n", &["tenants.toml:2:22", port]);
    refuses("[database]\nadvertise = { port = -1 }\n", &[port]);
    refuses("[database]\nadvertise = { port = \"x\" }\n", &["found a string, expected a whole number from 0 to 65535"]);
    refuses("[database]\nshared_schemas = 3\n", &["found a number, expected an array"]);
    refuses("[tenants]\na = { protected = 1 }\n", &["found a number, expected true or false"]);
    refuses("[tenants]\na = { settings = 1.5 }\n", &["found a number, expected a table"]);
    refuses("[tenants]\na = { settings = { b = [1] } }\n", &["expected a string, a number or a boolean"]);
    let limit = "out of range, expected a whole number";
    refuses("[tenants]\na = { connection_limit = 99999999999999999999 }\n", &[limit]);
}

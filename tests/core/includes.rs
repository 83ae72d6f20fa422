//! Tenants and classes that stand in more files than tenants.toml, or in a table of the database: all of them are one configuration,
//! and a fault is shown in the file that has it.

use tenantry::config::{Configuration, Text, Unread, declared_in, includes, parse_all};
use tenantry::model::Origin;

const MAIN: &str = "include = [\"tenants.d/*.toml\"]\n[classes.pro]\nconnection_limit = 5\n[tenants]\nacme = {}\n";

fn texts(more: &[(&str, &str)]) -> Vec<Text> {
    let main = Text::file("tenants.toml", MAIN);
    std::iter::once(main).chain(more.iter().map(|(path, source)| Text::file(*path, *source))).collect()
}

fn read(texts: &[Text]) -> Configuration {
    parse_all(texts, &[], &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

/// What is said of tenants.toml, which is right, and these files.
fn said(more: &[(&str, &str)]) -> String {
    parse_all(&texts(more), &[], &|_| None).unwrap_err().to_string()
}

fn rows(source: &str) -> Text {
    Text { path: "the source".into(), source: source.into(), origin: Origin::Source }
}

#[test]
fn tenants_and_classes_of_every_file_are_taken() {
    let mut texts = texts(&[
        ("tenants.d/a.toml", "[tenants]\nglobex = { class = \"pro\" }\n"),
        ("tenants.d/b.toml", "[classes.small]\nconnection_limit = 1\n[tenants]\ninitech = { class = \"small\" }\n"),
    ]);
    texts.push(rows("[tenants]\nhooli = { class = \"small\" }\n"));
    let tenants = read(&texts).tenants;
    let told: Vec<_> =
        tenants.values().map(|tenant| (tenant.key.as_str(), tenant.connection_limit, tenant.origin)).collect();
    assert_eq!(
        told,
        [
            ("acme", -1, Origin::File),
            ("globex", 5, Origin::File),
            ("hooli", 1, Origin::Source),
            ("initech", 1, Origin::File),
        ]
    );
    let places = ["acme", "initech", "hooli", "nobody"].map(|key| declared_in(&texts, key));
    assert_eq!(
        places.each_ref().map(Option::as_deref),
        [Some("tenants.toml, line 5"), Some("tenants.d/b.toml, line 4"), Some("row 2 of the source"), None]
    );
    assert_eq!(includes(&texts[0], &|_| None), ["tenants.d/*.toml"]);
    let elsewhere = Text::file("tenants.toml", "include = [\"${DIR}/*.toml\", \"more.toml\"]\n");
    assert_eq!(includes(&elsewhere, &|_| Some("/srv/tenants".into())), ["/srv/tenants/*.toml", "more.toml"]);
}

#[test]
fn a_fault_is_shown_at_its_place_in_its_own_file() {
    assert_eq!(
        said(&[("a.toml", "[tenants]\nglobex = {}\n"), ("b.toml", "# b\n[tenants]\ninitech = { acces = \"full\" }\n")]),
        "b.toml:3:13: unknown key \"acces\"\n\
         3 | initech = { acces = \"****\" }\n  |             ^^^^^\n  hint: did you mean \"access\"?"
    );
    let both = said(&[("a.toml", "[tenants]\nglobex = { class = \"prou\" }\n"), ("b.toml", "[tenants\n")]);
    assert!(both.starts_with("a.toml:2:20: "), "{both}");
    assert!(both.contains("\nb.toml:1:9: "), "{both}");
}

/// Otherwise whoever may add a tenant could move the secrets of all of them.
#[test]
fn an_included_file_declares_tenants_and_classes_and_nothing_else() {
    for section in ["[secrets]\npath = \"x\"", "[database]\nurl = \"postgresql://u:hunter2@db\"", "tenant = {}"] {
        let said = said(&[("a.toml", section)]);
        assert!(said.starts_with("a.toml:1:"), "{said}");
        assert!(said.contains("this does not belong into an included file"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let said = said(&[("a.toml", "include = [\"b.toml\"]\n")]);
    assert!(said.contains("an included file includes no others"), "{said}");
}

#[test]
fn what_two_files_declare_is_nobodys() {
    let tenant = said(&[("a.toml", "\n[tenants]\nacme = {}\n")]);
    assert!(
        tenant.starts_with("a.toml:3:1: tenant \"acme\" is declared twice, also in tenants.toml, line 5\n"),
        "{tenant}"
    );
    assert!(tenant.ends_with("hint: keep one of the two; here it is a.toml, line 3"), "{tenant}");
    let class = said(&[("a.toml", "[classes.pro]\n"), ("b.toml", "[classes.pro]\n")]);
    assert!(class.starts_with("a.toml:1:10: class \"pro\" is declared twice, also in tenants.toml, line 2"), "{class}");
    assert!(class.contains("\nb.toml:1:10: class \"pro\" is declared twice"), "{class}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_of_the_include_that_names_it() {
    let unread = Unread { message: "no file matches tenants.d/*.toml".into(), hint: Some("make one".into()) };
    let error = parse_all(&texts(&[]), &[unread], &|_| None).unwrap_err().to_string();
    assert!(error.starts_with("tenants.toml:1:11: no file matches tenants.d/*.toml\n"), "{error}");
    assert!(error.ends_with("hint: make one"), "{error}");
}

/// A row is anybody's who may write to that table.
#[test]
fn a_row_of_the_database_is_filled_in_with_nothing_of_the_environment() {
    let row = "[tenants]\nglobex = { settings = { \"app.name\" = \"${HOME}\" } }\n";
    let with = |text: Text| {
        let texts = [Text::file("tenants.toml", "[tenants]\n"), text];
        let tenants = parse_all(&texts, &[], &|_| Some("/root".into())).unwrap().tenants;
        tenants.into_values().next().unwrap().settings["app.name"].clone()
    };
    assert_eq!((with(rows(row)), with(Text::file("a.toml", row))), ("${HOME}".to_owned(), "/root".to_owned()));
}

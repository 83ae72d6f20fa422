//! Shapes: what differs, in words and on pages.

use tenantry::render::{Style, shape as page};
use tenantry::shape::{Difference, DifferenceKind, Names, ObjectName, PartName, Report, Shape, compare, text};

use super::{assert_is_snapshot, key, with_colours};

fn shape(rows: &[(&str, &str, i64, &str)]) -> Shape {
    let mut shape = Shape::default();
    for (object, part, position, definition) in rows {
        let split = |text: &str| text.split_once(' ').map(|(kind, name)| (kind.to_owned(), name.to_owned()));
        let (kind, name) = split(object).unwrap();
        let is_partition = name.starts_with("partition");
        let part = split(part).map(|(kind, name)| PartName { kind, name });
        shape.insert(ObjectName { kind, name }, part, *position, (*definition).to_owned(), is_partition);
    }
    shape
}

fn migrated() -> Shape {
    shape(&[
        ("table users", "", 0, ""),
        ("table users", "column id", 1, "bigint NOT NULL"),
        ("table users", "column email", 2, "text"),
        ("table users", "index users_email_idx", 0, "CREATE INDEX\n  ON users"),
        ("table users", "trigger t", 0, "CREATE TRIGGER t"),
        ("function f()", "", 0, "() RETURNS integer\n SELECT 1\n"),
        ("view w", "", 0, "SELECT 1"),
    ])
}

fn changed() -> Shape {
    shape(&[
        ("table users", "", 0, "REPLICA IDENTITY FULL"),
        ("table users", "column email", 1, "text"),
        ("table users", "column id", 2, "integer"),
        ("table users", "column phone", 3, "text"),
        ("table users", "trigger t", 0, "CREATE TRIGGER t DISABLED"),
        ("table partition_1", "", 0, "PARTITION OF users"),
        ("function f()", "", 0, "() RETURNS integer\n SELECT 2\n"),
        ("view v", "", 0, "SELECT 1"),
    ])
}

/// Groups of several sizes, more of them than are shown, and all else that a report holds.
pub fn report() -> Report {
    let (differences, _) = compare(&changed(), &migrated());
    let one = |n: usize| vec![Difference::owner(format!("table t{n}"), "somebody", "acme_owner")];
    let own = |n: usize| (0..n).map(|n| format!("table own{}", 99 - n)).collect::<Vec<_>>();
    let mut found = vec![
        (key("ok"), Vec::new(), Vec::new()),
        (key("ok2"), Vec::new(), own(1)),
        (key("c"), differences.clone(), own(12)),
        (key("b"), differences.clone(), Vec::new()),
        (key("a"), differences, Vec::new()),
        (key("e"), one(0), Vec::new()),
        (key("d"), one(0), Vec::new()),
    ];
    found.extend((1..25).map(|n| (key(&format!("x{n:02}")), one(n), own(2))));
    let unseen = [("u2", "locked"), ("u1", "locked"), ("u3", "it's gone")];
    Report::new(found, unseen.map(|(name, reason)| (key(name), reason.to_owned())))
}

#[test]
fn a_report_has_the_largest_group_first_and_counts_the_rest() {
    let report = report();
    let groups: Vec<_> = report
        .groups
        .iter()
        .map(|group| group.tenants.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(&groups[..4], ["a b c", "d e", "x01", "x02"]);
    assert_eq!(report.as_migrated, 2);
    assert_eq!(report.made_by_tenants[0].tenant, key("c"));
    assert!(
        report.made_by_tenants[0].objects.is_sorted()
            && report.made_by_tenants.is_sorted_by_key(|own| own.tenant.clone())
    );
    let unseen: Vec<_> = report.unseen.iter().map(|unseen| (unseen.reason.as_str(), unseen.tenants.len())).collect();
    assert_eq!(unseen, [("it's gone", 1), ("locked", 2)]);
    assert!(report.differs() && !Report::default().differs());
    assert!(!Report::new([], [(key("a"), "x".to_owned())]).differs());
}

#[test]
fn a_tenants_shape_is_shown_with_what_is_around_a_difference() {
    let styled = Style { color: true, ..Style::default() };
    let mut out = page::tenant(&key("acme"), &changed(), &migrated(), &Style::default());
    out += &with_colours(&page::tenant(&key("acme"), &changed(), &migrated(), &styled));
    out += &page::tenant(&key("acme"), &migrated(), &migrated(), &Style::default());
    out += &page::json(&key("acme"), &changed(), &migrated());
    assert_is_snapshot("page_shape_of_a_tenant", &out);
    assert_eq!(text(&Shape::default()), "");
}

#[test]
fn what_differs_is_said_shortly_and_long_definitions_are_left_to_the_whole_picture() {
    let long = "x".repeat(121);
    let fits = "x".repeat(120);
    let of = |observed: Option<&str>, desired: Option<&str>, part: Option<&str>, kind: DifferenceKind| Difference {
        object: "table users".into(),
        part: part.map(str::to_owned),
        kind,
        observed: observed.map(str::to_owned),
        desired: desired.map(str::to_owned),
    };
    use DifferenceKind::{Different, Extra, Missing, Order};
    let table = [
        of(Some("int"), Some("text"), Some("column a"), Different),
        of(Some(&fits), Some("text"), Some("column a"), Different),
        of(Some(&long), Some("text"), Some("column a"), Different),
        of(Some("int"), Some("a\nb"), Some("column a"), Different),
        of(None, Some("text"), Some("column a"), Different),
        of(None, Some(&long), Some("column a"), Different),
        of(Some("int"), None, Some("column a"), Different),
        of(Some(&long), None, Some("column a"), Different),
        of(Some("FORCE ROW LEVEL SECURITY"), None, None, Different),
        of(Some("FORCE ROW LEVEL SECURITY"), None, Some("policy p"), Different),
        of(Some("SELECT 1"), Some("SELECT 2"), None, Different),
        of(Some(&format!("{long} DISABLED")), Some(&long), None, Different),
        of(Some(&format!("{long} {fits}")), Some(&long), None, Different),
        of(Some(&format!("{long} {long}")), Some(&long), None, Different),
        of(Some(&format!("{long} a\nb")), Some(&long), None, Different),
        of(Some("int"), None, Some("column a"), Extra),
        of(Some(&long), None, Some("column a"), Extra),
        of(Some("int"), None, None, Extra),
        of(None, Some("int"), Some("column a"), Missing),
        of(None, Some("int"), None, Missing),
        of(None, None, None, Order),
    ];
    let words: String = table.iter().map(|difference| format!("{difference}\n")).collect();
    assert_is_snapshot("differences_in_words", &words.replace(&long, "LONG").replace(&fits, "FITS"));
    assert_eq!(table.iter().filter(|difference| difference.is_extra_object()).count(), 1);
    let owner = Difference::owner("table t".into(), "somebody", "acme_owner");
    assert_eq!(owner.to_string(), "t: owner is somebody, not acme_owner");
}

#[test]
fn a_part_of_a_shape_is_taken_by_its_title() {
    let shape = migrated();
    assert!(shape.has("table users") && !shape.has("table user") && !shape.has("users"));
    let only = |titles: &[&str]| text(&shape.only(&titles.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>()));
    assert_eq!(only(&[]), "");
    assert_eq!(only(&["view w"]), "view w SELECT 1\n");
    assert_eq!(only(&["table users"]), "table users\n");
    assert_eq!(only(&["table users column email"]), "table users\n    column email text\n");
    assert_eq!(
        only(&["view w", "table users column id", "column id"]),
        "table users\n    column id bigint NOT NULL\nview w SELECT 1\n"
    );
    let positions = shape.only(&["table users column email".to_owned()]);
    assert_eq!(positions.objects.values().next().unwrap().parts.values().next().unwrap().position, 2);
}

/// A reference stands in a scratch schema; as a tenant's it has the tenant's names, spelled as the tenant has them.
#[test]
fn a_reference_is_spelled_as_the_tenant_has_it() {
    let names = |schema: &str, username: &str, owner: &str| Names {
        schema: schema.into(),
        username: username.into(),
        owner: owner.into(),
    };
    let scratch = names("s_1f", "s_1f_user", "s_1f_owner");
    let reference = shape(&[
        ("table users", "", 0, ""),
        ("table users", "column id", 1, "integer DEFAULT nextval('s_1f.users_id_seq')"),
        ("table users", "policy s_1f_user_only", 0, "TO s_1f_user USING (true)"),
        ("function f(s_1f.users)", "", 0, "() OWNER s_1f_owner SET search_path=s_1f"),
        ("view v", "", 0, "SELECT 1"),
    ]);
    assert!(scratch.stand_in("a s_1f b") && !scratch.stand_in("a b"));
    let mut out = String::new();
    for tenant in [names("acme", "acme_user", "acme_owner"), names("It's", "u 1", "1st")] {
        out += &format!("== {}\n", tenant.schema);
        out += "nothing is there\n";
        out += &text(&scratch.reference_for(&reference, &tenant, &Shape::default()));
        out += "as PostgreSQL prints it\n";
        let quoted = if tenant.schema == "acme" { "acme" } else { "\"It's\"" };
        let literal = quoted.replace('\'', "''");
        let there = shape(&[
            ("table users", "", 0, ""),
            ("table users", "column id", 1, &format!("integer DEFAULT nextval('{literal}.users_id_seq')")),
            ("table users", "policy other", 0, "TO PUBLIC"),
            (&format!("function f({quoted}.users)"), "", 0, "something else"),
            ("view v", "", 0, "SELECT 2"),
        ]);
        let meant = scratch.reference_for(&reference, &tenant, &there);
        out += &text(&meant);
        let differences = compare(&there, &meant).0;
        out += &differences.iter().map(|difference| format!("  {difference}\n")).collect::<String>();
    }
    assert_is_snapshot("references_of_tenants", &out);
}

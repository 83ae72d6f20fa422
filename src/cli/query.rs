//! `query`: one query in every tenant.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::json;
use tenantry::render;
use tenantry::render::escape::visible;
use tenantry::rows::{Answer, Cut, Fault, Kind, NotReading, Rows, Said};
use tenantry::words::{count, few};
use tenantry::{Asked, Question};

use super::args::{Format, Global, QueryArgs};
use super::exit::Exit;
use super::failure::{Context, Failure};
use super::output::Output;
use super::progress::Progress;
use super::{interrupt, project, tables};

pub fn run(global: &Global, args: &QueryArgs, out: &mut Output) -> Result<Exit, Failure> {
    let mut question = question(args)?;
    (question.timeout, question.max_rows) = (args.timeout, args.max_rows);
    interrupt::watch_reading();
    let looked = project::open(global, project::options(global))?.look()?;
    out.talks_to(&looked.place());
    let tenants = looked.to_verify(&[])?.len();
    let progress = Progress::wordless("query", tenants, out);
    let wrong = |answer: &Answer| matches!(answer.said, Said::Failed(_)).then_some("failed");
    let asked = looked.query(&[], &question, &|answer| progress.one_more(answer.tenant.as_str(), wrong(answer)))?;
    progress.finish();
    let rows = match &args.aggregate {
        Some(sql) if !interrupt::handle().is_stopped() => looked.aggregate(&asked, sql)?,
        _ => asked.rows(),
    };
    print(&rows, out)?;
    tell(&asked, &rows, out);
    project::undeclared(&looked, "not asked", out);
    if interrupt::handle().is_stopped() {
        out.finding(&format!("interrupted: {} of {} were asked", asked.answers.len(), count(tenants, "tenant")));
        return Ok(Exit::Interrupted);
    }
    Ok(if asked.failed() { Exit::Failed } else { Exit::Ok })
}

fn question(args: &QueryArgs) -> Result<Question, Failure> {
    let sql = match (&args.sql, &args.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(file)) if file.as_os_str() == "-" => {
            let mut sql = String::new();
            std::io::stdin().read_to_string(&mut sql).doing("reading the query from stdin")?;
            sql
        }
        (None, Some(file)) => std::fs::read_to_string(file).doing(format!("reading {}", file.display()))?,
        (None, None) => String::new(),
    };
    Question::new(&sql).map_err(|error| {
        let hint = match error {
            NotReading::Nothing => "write one, such as: SELECT count(*) FROM users",
            NotReading::Several => "one at a time; WITH and UNION ALL ask for several things at once",
            NotReading::Other(_) => {
                "query takes one SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN; what changes something is a migration's, or a program's that \
                 exec runs"
            }
        };
        Failure::refused(format!("the query: {error}"), hint)
    })
}

fn print(rows: &Rows, out: &mut Output) -> Result<(), Failure> {
    if out.csv {
        return out.print_data(&render::rows::csv(rows));
    }
    out.print(&match out.format {
        Format::Json => render::rows::json(rows),
        Format::Text => text(rows),
        Format::Markdown => render::markdown::fenced("", &text(rows)),
    })
}

/// What a table shows of a value: as wide as one value are all cells above and below it.
const WIDEST: usize = 100;

fn text(rows: &Rows) -> String {
    let cell = |value: &Option<String>| match value.as_deref() {
        None => "NULL".to_owned(),
        Some(value) => match value.char_indices().nth(WIDEST) {
            Some((at, _)) => format!("{}…", visible(&value[..at])),
            None => visible(value).into_owned(),
        },
    };
    if rows.rows.is_empty() {
        return "No rows.\n".into();
    }
    let header = rows.columns.iter().map(|column| visible(&column.name).into_owned()).collect();
    let is_number = |column: usize| matches!(rows.columns[column].kind, Kind::Integer | Kind::Number);
    tables::text(header, rows.rows.iter().map(|row| row.iter().map(cell).collect()), is_number)
}

/// On stderr: who failed and why, whose rows are cut off, who was not asked.
fn tell(asked: &Asked, rows: &Rows, out: &mut Output) {
    let mut failed: BTreeMap<(&str, Option<&str>), Vec<&str>> = BTreeMap::new();
    let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut cut: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for Answer { tenant, said } in &asked.answers {
        match said {
            Said::Rows(rows) => {
                if let Some(why) = rows.cut {
                    cut.entry(why_cut(why)).or_default().push(tenant.as_str());
                }
            }
            Said::Skipped(why) => skipped.entry(why).or_default().push(tenant.as_str()),
            Said::Failed(fault) if out.format == Format::Json => out.finding(&in_json(tenant.as_str(), fault)),
            Said::Failed(fault) => {
                failed.entry((&fault.message, fault.hint.as_deref())).or_default().push(tenant.as_str());
            }
        }
    }
    for ((message, hint), tenants) in failed {
        out.finding(&format!("error: {}: {message}", few(&tenants)));
        if let Some(hint) = hint {
            out.finding(&format!(" hint: {hint}"));
        }
    }
    for (why, tenants) in cut {
        out.finding(&format!("warning: {}: {why}", few(&tenants)));
    }
    if let Some(why) = rows.cut {
        out.finding(&format!("warning: the aggregate: {}", why_cut(why)));
    }
    for (why, tenants) in skipped {
        out.note(&format!("note: not asked: {}: {why}", few(&tenants)));
    }
}

fn why_cut(cut: Cut) -> String {
    let size = |bytes: usize| tenantry::words::size(i64::try_from(bytes).unwrap_or(i64::MAX));
    match cut {
        Cut::Rows(n) => format!("only the first {} (--max-rows)", count(n, "row")),
        Cut::Bytes(bytes) => format!("cut off at {}: ask for less of each tenant", size(bytes)),
        Cut::BytesOfAll(bytes) => format!(
            "cut off, since all tenants' rows take {}: ask for less, or for fewer tenants (--target)",
            size(bytes)
        ),
    }
}

fn in_json(tenant: &str, fault: &Fault) -> String {
    let Fault { message, sqlstate, hint } = fault;
    let error = json!({ "message": message, "sqlstate": sqlstate, "hint": hint });
    render::json::line(&json!({ "tenant": tenant, "error": error }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenantry::rows::Column;

    #[test]
    fn a_table_obeys_no_value_and_is_no_wider_than_it_must_be() {
        let column = |name: &str, kind| Column { name: name.into(), kind };
        let row = |n: &str, note: Option<&str>| vec![Some("acme".into()), Some(n.into()), note.map(str::to_owned)];
        let rows = Rows {
            columns: vec![column("tenant", Kind::Text), column("n", Kind::Integer), column("no\x1bte", Kind::Text)],
            rows: vec![row("7", Some("a\nb\x1b[2J")), row("120", None), row("1", Some(&"é".repeat(1000)))],
            cut: None,
        };
        let text = text(&rows);
        assert!(!text.contains('\x1b') && text.lines().count() == 4, "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 130), "{text}");
        let second = text.lines().nth(1).unwrap();
        assert_eq!(second.trim_end(), "acme      7  a\\nb\\u{1b}[2J");
        assert!(text.contains("acme    120  NULL"), "{text}");
    }
}

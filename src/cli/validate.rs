//! `validate`: tenants.toml and the migrations, offline.

use super::args::{Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::session;

pub fn run(global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let desired = session::load(global)?.desired;
    session::Filter::new(&global.target)?.matches_some(desired.tenants.keys())?;
    let (tenants, migrations) = (desired.tenants.len(), desired.migrations.len());
    let warnings: Vec<_> = desired.migrations.iter().flat_map(|file| &file.warnings).collect();
    if out.format == Format::Json {
        let warnings: Vec<_> = warnings
            .iter()
            .map(|w| serde_json::json!({ "file": w.file, "line": w.line, "message": w.message }))
            .collect();
        let report =
            serde_json::json!({ "valid": true, "tenants": tenants, "migrations": migrations, "warnings": warnings });
        out.print(&format!("{report:#}\n"))?;
        return Ok(Exit::Ok);
    }
    for warning in warnings {
        out.note(&format!("warning: {}:{} {}", warning.file, warning.line, warning.message));
    }
    out.print(&format!(
        "{} is valid: {}, {}.\n",
        global.config.display(),
        count(tenants, "tenant"),
        count(migrations, "migration")
    ))?;
    Ok(Exit::Ok)
}

pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

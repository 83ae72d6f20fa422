//! `list`: the fleet.

use std::collections::BTreeSet;

use super::args::{Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{recover, session};
use crate::core::model::{Observed, SecretState, TenantKey};
use crate::core::plan::RECOVER;
use crate::core::render;
use crate::core::render::list::ListRow;
use crate::engine::inspect::{self, Sizes};

pub fn run(global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let mut session = session::connect(global)?;
    let observed = session.observe(Sizes::All)?;
    session.selects_something(&observed)?;
    out.talks_to(&session.place(&observed));
    let mut rows = rows(&mut session, &observed)?;
    let many = inspect::many_locks(&mut session.client, &observed)?;
    for row in &mut rows {
        row.locks = many.iter().find(|found| found.role == row.username).map(|found| found.locks);
    }
    let part = session.targeting(&observed).map(|part| format!("\n{}\n", render::text::targeting(&part)));
    let table = || format!("{}{}", render::list::text(&rows), part.unwrap_or_default());
    out.print(&match out.format {
        Format::Json => render::list::json(&rows),
        Format::Text => table(),
        // The columns stand below one another.
        Format::Markdown => render::markdown::fenced("", &table()),
    })?;
    for unseen in &observed.unseen {
        out.note(&format!("could not see {}", unseen.what));
        if let Some(hint) = &unseen.hint {
            out.note(&format!(" hint: {hint}"));
        }
    }
    if let Some(lost) = recover::lost(&session, &observed, &|_| true) {
        out.note(&lost);
        out.note(&format!(" hint: {RECOVER}"));
    }
    many.iter().for_each(|found| out.note(&render::list::many_locks(found)));
    Ok(Exit::Ok)
}

pub fn rows(session: &mut session::Session, observed: &Observed) -> Result<Vec<ListRow>, Failure> {
    let desired = &session.project.desired;
    let registered = observed.registry.iter().flat_map(|registry| &registry.tenants);
    let keys: BTreeSet<TenantKey> = desired.tenants.keys().chain(registered.map(|(key, _)| key)).cloned().collect();
    let row = |key: &TenantKey| observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
    let mut usernames = Vec::new();
    let mut rows = Vec::new();
    let now = jiff::Timestamp::now();
    for key in keys.into_iter().filter(|key| session.selects(key)) {
        let declared = session.project.desired.tenants.get(&key);
        // Its names as they are now; the declared ones before the first apply.
        let (schema, username, path) = match (row(&key), declared) {
            (Some(row), _) => (&row.schema, &row.username, &row.secret.path),
            (None, Some(tenant)) => (&tenant.schema, &tenant.username, &tenant.secret_path),
            (None, None) => continue,
        };
        let found = observed.schemas.get(schema).filter(|_| row(&key).is_some());
        let secret_age = match observed.secrets.get(path) {
            Some(SecretState::Ours { created, .. }) => {
                // By our own record: what others add to the secret, or do to its file, makes no password younger.
                let changed = row(&key).and_then(|row| row.password_changed_at).or(*created);
                changed.map(|at| now.duration_since(at).as_secs())
            }
            _ => None,
        };
        usernames.push(username.clone());
        rows.push(ListRow {
            tenant: key.to_string(),
            schema: schema.clone(),
            username: username.clone(),
            state: row(&key).map_or("absent", |row| row.state.as_str()).to_owned(),
            migration: found.and_then(|schema| schema.history.applied().last()).map(|applied| applied.version),
            size: found.map_or(0, |schema| schema.bytes),
            connections: 0,
            secret_age,
            locks: None,
        });
    }
    let connections = inspect::connections(&mut session.client, &usernames)?;
    for row in &mut rows {
        row.connections = connections.get(&row.username).copied().unwrap_or_default();
    }
    Ok(rows)
}

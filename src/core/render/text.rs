//! The plan for a person at a terminal: readable at five tenants and at ten thousand.

use super::escape::{statement_lines, visible};
use super::group::{Block, Shape, Words, blocks, hazard_word, notes as notes_of};
use super::page::{Page, names};
use super::style::Tone;
use super::{Style, inline};
use crate::core::model::Unseen;
use crate::core::plan::{
    DatabaseAction, DatabaseIdentity, Document, HazardKind, Kind, ShownTenant, Stage, Summary, Targeting, Verb,
};
use crate::core::words::count;

/// Tenants whose lost data is listed one by one; what is to be read before saying yes must be short enough to be read.
const LOSSES_SHOWN: usize = 20;

/// What apply would do.
#[must_use]
pub fn plan(plan: &Document, style: &Style) -> String {
    let style = *style;
    let mut page = Page::default();
    database(&mut page, plan, style);
    for block in blocks(plan, style.verbose) {
        page.gap();
        tenants(&mut page, &block, style);
    }
    notes(&mut page, plan, style);
    unseen(&mut page, &plan.unseen, style);
    page.gap();
    if let Some(part) = &plan.targeting {
        page.line(0, style.paint(Tone::Update, &targeting(part)));
    }
    if plan.is_empty() {
        page.line(0, no_changes(plan));
    }
    if !plan.database_changes.is_empty() {
        page.line(0, format!("Database: {}.", count(plan.database_changes.len(), "change")));
    }
    page.line(0, style.paint(Tone::Strong, &summary(plan)));
    if let Some(report) = &plan.shape {
        let is_adopted = |tenant: &ShownTenant| tenant.changes.iter().any(|change| change.kind == Kind::Adopt);
        super::shape::text(&mut page, report, !plan.tenants.iter().any(is_adopted), style);
    }
    page.into_string()
}

/// `Plan: 1 to create, 2 to update, 0 to remove, 97 unchanged.`
#[must_use]
pub fn summary(plan: &Document) -> String {
    let sum = Summary::of(plan.tenants.iter().map(|tenant| tenant.verb));
    let blocked = if sum.blocked > 0 { format!(", {} blocked", sum.blocked) } else { String::new() };
    format!(
        "Plan: {} to create, {} to update, {} to remove, {} unchanged{blocked}.",
        sum.create, sum.update, sum.remove, sum.unchanged
    )
}

/// That nothing differs, as far as it could be seen.
pub(super) fn no_changes(plan: &Document) -> &'static str {
    match (plan.unseen.is_empty(), plan.targeting) {
        (true, None) => "No changes. PostgreSQL and the secret store match tenants.toml.",
        (true, Some(_)) => "No changes to what was looked at.",
        (false, _) => "No changes in what could be seen; not everything could be.",
    }
}

/// Which database a command talks to, as whom, and who said so: `app on db.internal:5432 as admin (from PGHOST)`.
#[must_use]
pub fn heading(database: &DatabaseIdentity, user: &str, origin: &str) -> String {
    visible(&format!("{} on {} as {user} (from {origin})", database.name, database.address())).into_owned()
}

/// That the rest was not looked at.
#[must_use]
pub fn targeting(part: &Targeting) -> String {
    let were = if part.looked_at == 1 { "was" } else { "were" };
    format!("Targeting is in effect: {} of {} {were} looked at.", part.looked_at, count(part.of, "tenant"))
}

/// What is there beside what is declared, and stays.
fn notes(page: &mut Page, plan: &Document, style: Style) {
    let notes = notes_of(plan, style.verbose);
    if notes.is_empty() {
        return;
    }
    page.gap();
    page.line(0, style.paint(Tone::Strong, "Not declared; left unchanged:"));
    for note in notes {
        let who = match note.members.as_slice() {
            [one] => one.to_string(),
            many => {
                let more = "… (-v: each on its own)";
                format!("{}: {}", count(many.len(), "tenant"), names(many.iter().copied(), many.len(), more))
            }
        };
        page.line(2, format!("{who}: {}  {}", visible(&note.what), visible(&note.detail)));
    }
}

pub(super) fn unseen(page: &mut Page, unseen: &[Unseen], style: Style) {
    if !unseen.is_empty() {
        page.gap();
    }
    for unseen in unseen {
        page.line(0, style.paint(Tone::Danger, &format!("! could not see {}", visible(&unseen.what))));
        if let Some(hint) = &unseen.hint {
            page.line(4, format!("hint: {}", visible(hint)));
        }
    }
}

fn database(page: &mut Page, plan: &Document, style: Style) {
    if plan.database_changes.is_empty() && plan.hazards.is_empty() {
        return;
    }
    let database = &plan.database;
    let place = if style.headed { String::new() } else { format!(" on {}", visible(&database.address())) };
    page.line(0, style.paint(Tone::Strong, &format!("database {}{place}", visible(&database.name))));
    let (first, others): (Vec<_>, Vec<_>) =
        plan.hazards.iter().partition(|hazard| hazard.kind == HazardKind::PrivilegedTenant);
    for found in first {
        hazard(page, &hazard_word(found.kind), &found.detail, is_grave(found.kind), style);
    }
    for change in &plan.database_changes {
        let late = if change.stage == Stage::After { ", after the tenants" } else { "" };
        page.line(2, format!("{} {}{late}", style.sign(database_tone(change.action)), visible(&change.detail)));
        if style.verbose {
            sql(page, change.sql.iter().map(crate::core::plan::Sql::shown), style);
        }
    }
    for found in others {
        hazard(page, &hazard_word(found.kind), &found.detail, is_grave(found.kind), style);
    }
}

fn database_tone(action: DatabaseAction) -> Tone {
    match action {
        DatabaseAction::UpgradeRegistry
        | DatabaseAction::AlterGroup
        | DatabaseAction::ClaimSecrets
        | DatabaseAction::MoveHere => Tone::Update,
        DatabaseAction::RevokeMembership
        | DatabaseAction::RevokeFromGroup
        | DatabaseAction::CloseRegistry
        | DatabaseAction::CloseSharedSchema
        | DatabaseAction::ClosePublicSchema
        | DatabaseAction::RevokeTemp
        | DatabaseAction::DropSharedOwner => Tone::Remove,
        DatabaseAction::CreateRegistry
        | DatabaseAction::CreateGroup
        | DatabaseAction::GrantConnect
        | DatabaseAction::GrantTemp
        | DatabaseAction::CreateSharedSchema
        | DatabaseAction::GrantSharedSchema
        | DatabaseAction::CreateExtension
        | DatabaseAction::CreateSharedOwner => Tone::Create,
    }
}

fn tenants(page: &mut Page, block: &Block<'_>, style: Style) {
    let tone = Tone::of(block.verb);
    let verb = if block.verb == Verb::Blocked { "blocked" } else { block.verb.as_str() };
    let head = match block.members.as_slice() {
        [one] => format!("{} {verb} tenant {}", tone.sign(), one.tenant),
        many => format!("{} {verb} {}: {}", tone.sign(), count(many.len(), "tenant"), first_names(many)),
    };
    page.line(0, style.paint(tone, &head));
    let names = match block.members.as_slice() {
        [one] => {
            let [schema, username, owner] = [&one.schema, &one.username, &one.owner].map(|name| visible(name));
            format!("schema {schema}, username {username}, owner {owner}")
        }
        _ => "schema {schema}, username {username}, owner {owner}".to_owned(),
    };
    let access = block.shape.access.map(|access| format!(", access {access}")).unwrap_or_default();
    page.line(4, style.paint(Tone::Faint, &format!("{names}{access}")));
    for (n, change) in block.shape.changes.iter().enumerate() {
        let head = format!("{} {}", style.sign(change_tone(change)), visible(&change.what));
        inline::change(page, 2, &head, change.before.as_deref(), change.after.as_deref(), style);
        if style.verbose {
            let statements = block.members[0].changes.get(n).map(|change| change.sql.as_slice()).unwrap_or_default();
            sql(page, statements.iter().map(crate::core::plan::Sql::shown), style);
        }
    }
    hazards(page, &block.shape, &block.members, style);
    if let Some(reason) = &block.shape.reason {
        page.line(2, format!("{} {}", style.sign(Tone::Danger), visible(reason)));
    }
    if let Some(hint) = &block.shape.hint {
        page.line(4, format!("hint: {}", visible(hint)));
    }
}

/// "acme, globex, initech, … (-v: each on its own)".
fn first_names(members: &[&ShownTenant]) -> String {
    names(members.iter().map(|member| &member.tenant), members.len(), "… (-v: each on its own)")
}

/// What is made, changed or taken away; a borrowed right comes and goes, so it is neither.
pub(super) fn change_tone(change: &Words) -> Tone {
    match (change.kind, &change.before, &change.after) {
        (Kind::BorrowRights | Kind::ReturnRights, ..) => Tone::Faint,
        (Kind::EndSessions | Kind::DropSchema | Kind::DropRole | Kind::DropOwner | Kind::DeleteSecret, ..) => {
            Tone::Remove
        }
        (Kind::SetPassword, ..) => Tone::Update,
        (_, None, Some(_)) => Tone::Create,
        (_, Some(_), None) => Tone::Remove,
        _ => Tone::Update,
    }
}

fn is_grave(kind: HazardKind) -> bool {
    matches!(
        kind,
        HazardKind::PrivilegedTenant | HazardKind::WholeFleet | HazardKind::DeletesData | HazardKind::DataLost
    )
}

fn hazard(page: &mut Page, word: &str, detail: &str, grave: bool, style: Style) {
    let tone = if grave { Tone::Danger } else { Tone::Update };
    page.line(2, style.paint(tone, &format!("! hazard {word}: {}", visible(detail))));
}

/// What would be lost is said tenant by tenant, whatever is grouped.
fn hazards(page: &mut Page, shape: &Shape, members: &[&ShownTenant], style: Style) {
    let word = hazard_word(HazardKind::DeletesData);
    let losses: Vec<_> = members
        .iter()
        .flat_map(|tenant| tenant.hazards.iter().map(move |hazard| (&tenant.tenant, hazard)))
        .filter(|(_, hazard)| hazard.kind == HazardKind::DeletesData)
        .collect();
    for (tenant, loss) in losses.iter().take(LOSSES_SHOWN) {
        hazard(page, &word, &format!("{tenant}: {}", loss.detail), true, style);
    }
    if let Some(more) = losses.len().checked_sub(LOSSES_SHOWN).filter(|more| *more > 0) {
        let detail = format!("and {more} more; {} lose their data", count(losses.len(), "tenant"));
        hazard(page, &word, &detail, true, style);
    }
    for (word, detail) in &shape.hazards {
        hazard(page, word, detail, *word == hazard_word(HazardKind::DataLost), style);
    }
}

fn sql<'a>(page: &mut Page, statements: impl Iterator<Item = &'a str>, style: Style) {
    for statement in statements {
        // A comment names a migration's file; it ends no statement.
        let end = if statement.starts_with("--") { "" } else { ";" };
        for line in statement_lines(&format!("{statement}{end}")) {
            page.line(6, style.paint(Tone::Faint, &line));
        }
    }
}

#[cfg(test)]
mod tests;

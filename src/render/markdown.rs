//! The plan for a pull request's comment.

use super::escape::{visible, visible_lines};
use super::group::{Block, blocks, hazard_word, notes as notes_of};
use super::text::{change_tone, names, no_changes, summary};
use crate::model::TenantKey;
use crate::plan::{HazardKind, Plan, Sql};

/// GitHub refuses comments above 65,536 characters.
const LIMIT: usize = 65_536;

/// More lines than this are folded away.
const LONG: usize = 20;

const CUT: &str = "\n_The rest is cut: a comment holds 65,536 characters. See `tenantry plan` for all of it._\n";

#[must_use]
pub fn plan(plan: &Plan) -> String {
    let blocks = blocks(plan, false);
    let mut out = format!("### {}\n", escape(&summary(plan)));
    if plan.is_empty() {
        out.push_str(&format!("\n{}\n", no_changes(plan).replace("tenants.toml", "`tenants.toml`")));
    }
    out.push_str(&unseen(plan));
    out.push_str(&hazards(plan, &blocks));
    if !blocks.is_empty() {
        out.push_str("\n| | tenants | changes |\n|---|---|---|\n");
        for block in &blocks {
            out.push_str(&row(block));
        }
    }
    out.push_str(&notes(plan));
    let (changes, sql) = details(plan, &blocks);
    out.push_str(&section("Changes", "diff", &changes));
    if out.chars().count() + sql.chars().count() + 200 < LIMIT {
        out.push_str(&section("SQL", "sql", &sql));
    }
    cut(out)
}

/// What a reviewer must not miss is never folded.
fn hazards(plan: &Plan, blocks: &[Block<'_>]) -> String {
    let mut lines: Vec<String> =
        plan.hazards.iter().map(|hazard| line(&hazard_word(hazard.kind), "", &hazard.detail)).collect();
    for block in blocks {
        let who = members(block);
        lines.extend(block.shape.hazards.iter().map(|(word, detail)| line(word, &who, detail)));
        let losses = block.members.iter().flat_map(|tenant| tenant.hazards.iter().map(move |h| (&tenant.tenant, h)));
        let losses: Vec<_> = losses.filter(|(_, hazard)| hazard.kind == HazardKind::DeletesData).collect();
        let word = hazard_word(HazardKind::DeletesData);
        lines.extend(losses.iter().take(LONG).map(|(tenant, loss)| line(&word, tenant.as_str(), &loss.detail)));
        if losses.len() > LONG {
            let detail = format!("{} more; {} tenants lose their data", losses.len() - LONG, losses.len());
            lines.push(line(&word, "and", &detail));
        }
        if let Some(reason) = &block.shape.reason {
            lines.push(line("blocked", &who, reason));
        }
    }
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}

fn unseen(plan: &Plan) -> String {
    let lines: String = plan
        .unseen
        .iter()
        .map(|unseen| {
            let hint = unseen.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            line("could not see", "", &format!("{}{hint}", unseen.what))
        })
        .collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// What is there beside what is declared, and stays.
fn notes(plan: &Plan) -> String {
    let notes = notes_of(plan, false);
    let lines: String = notes
        .iter()
        .take(LONG)
        .map(|note| {
            let who = names(note.members.iter().copied(), note.members.len(), "…");
            line("left as it is", &format!("{who}:"), &format!("{}: {}", note.what, note.detail))
        })
        .collect();
    let more = notes.len().saturating_sub(LONG);
    let more = if more > 0 { format!("- and {more} more\n") } else { String::new() };
    if lines.is_empty() { lines } else { format!("\n{lines}{more}") }
}

fn line(word: &str, who: &str, detail: &str) -> String {
    let who = if who.is_empty() { String::new() } else { format!("{} ", escape(who)) };
    format!("- **{}** {who}{}\n", escape(word), escape(detail))
}

fn members(block: &Block<'_>) -> String {
    let list = keys(block);
    if block.members.len() == 1 { format!("{list}:") } else { format!("{} tenants ({list}):", block.members.len()) }
}

fn keys(block: &Block<'_>) -> String {
    let keys = block.members.iter().map(|member| -> &TenantKey { &member.tenant });
    names(keys, block.members.len(), "…")
}

fn row(block: &Block<'_>) -> String {
    let shape = &block.shape;
    let mut changes: Vec<String> = shape.changes.iter().take(3).map(|change| escape(&change.what)).collect();
    if shape.changes.len() > 3 {
        changes.push(format!("{} more", shape.changes.len() - 3));
    }
    if let Some(reason) = &shape.reason {
        changes.push(escape(reason));
    }
    let tenants = if block.members.len() == 1 {
        escape(&keys(block))
    } else {
        format!("**{}**: {}", block.members.len(), escape(&keys(block)))
    };
    format!("| {} | {tenants} | {} |\n", block.verb.as_str(), changes.join("; "))
}

/// The changes and their SQL; of a group, the first tenant's SQL stands for the others'.
fn details(plan: &Plan, blocks: &[Block<'_>]) -> (String, String) {
    let (mut changes, mut sql) = (String::new(), String::new());
    let mut statements = |from: &[Sql]| {
        for statement in from {
            let end = if statement.shown().starts_with("--") { "" } else { ";" };
            sql.push_str(&format!("{}{end}\n", visible_lines(statement.shown())));
        }
    };
    for change in &plan.database_changes {
        changes.push_str(&format!("  {}\n", visible(&change.detail)));
        statements(&change.sql);
    }
    for block in blocks.iter().filter(|block| !block.shape.changes.is_empty()) {
        changes.push_str(&format!("  {} {}\n", block.verb.as_str(), members(block).trim_end_matches(':')));
        for change in &block.shape.changes {
            let sides = [change.before.as_deref(), change.after.as_deref()];
            let sides: Vec<_> = sides.into_iter().flatten().map(visible).collect();
            // The signs a diff's colours know; "!" is its word for changed.
            let sign = match change_tone(change).sign() {
                "~" => "!",
                sign => sign,
            };
            changes.push_str(&format!("{sign}   {}  {}\n", visible(&change.what), sides.join(" → ")));
        }
        let first = block.members[0];
        statements(&[Sql::from(format!("-- tenant {}", first.tenant))]);
        first.changes.iter().for_each(|change| statements(&change.sql));
    }
    (changes, sql)
}

/// A fenced block, folded when long. The fence is longer than any run of backticks inside.
fn section(title: &str, language: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    // Cut inside the fence, so that it is closed whatever happens.
    let mut text = text;
    if let Some((at, _)) = text.char_indices().nth(LIMIT / 2) {
        text = &text[..text[..at].rfind('\n').map_or(at, |end| end + 1)];
    }
    let block = format!("{fence}{language}\n{text}{fence}\n");
    if text.lines().count() > LONG {
        format!("\n<details><summary>{title}</summary>\n\n{block}\n</details>\n")
    } else {
        format!("\n{block}")
    }
}

fn cut(out: String) -> String {
    if out.chars().count() <= LIMIT {
        return out;
    }
    let keep = out.char_indices().nth(LIMIT - CUT.len()).map_or(out.len(), |(at, _)| at);
    let keep = out[..keep].rfind('\n').map_or(keep, |end| end + 1);
    format!("{}{CUT}", &out[..keep])
}

/// Text outside of code: nothing in a name is markup, a mention or a table's border.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A mention would call people; an entity does not.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '~' | '#' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Change, Hazard, Kind, Target, TenantPlan, Verb};

    fn tenant(key: &str, n: usize) -> TenantPlan {
        let changes = (0..n).map(|n| {
            let sql = vec![format!("ALTER ROLE \"a```b|c\" SET \"x{n}\" = '1'")];
            Change::sql(Kind::SetSettings, format!("setting `x{n}` | <b>"), sql).before("a_b").after("@team")
        });
        TenantPlan {
            tenant: TenantKey::new(key).unwrap(),
            verb: Verb::Update,
            schema: format!("tenant_{key}"),
            username: format!("{key}_user"),
            owner: format!("{key}_owner"),
            changes: changes.collect(),
            hazards: vec![Hazard { kind: HazardKind::DataLost, detail: format!("schema tenant_{key} is gone") }],
            reason: None,
            hint: None,
            notes: Vec::new(),
            target: Target::None,
        }
    }

    #[test]
    fn names_are_no_markup_and_cannot_leave_their_fence() {
        let plan = Plan { tenants: vec![tenant("acme", 2), tenant("globex", 2)], ..Plan::default() };
        insta::assert_snapshot!(super::plan(&plan));
    }

    #[test]
    fn a_comment_never_exceeds_githubs_limit() {
        let tenants: Vec<_> = (1..400).map(|n| tenant(&format!("t{n}"), n)).collect();
        let text = super::plan(&Plan { tenants, ..Plan::default() });
        assert!(text.chars().count() <= LIMIT, "{}", text.chars().count());
        assert!(text.contains("The rest is cut"), "{}", &text[text.len() - 200..]);
    }
}

//! The plan for a pull request's comment.

use super::escape::{statement_lines, visible};
use super::group::{Block, blocks, hazard_word, notes as notes_of};
use super::page::names;
use super::text::{change_tone, no_changes, summary, targeting};
use crate::core::model::TenantKey;
use crate::core::plan::{Document, HazardKind, Sql};
use crate::core::words::count;

/// GitHub refuses comments above 65,536 characters; some are left to whoever puts a line of its own around the plan.
const LIMIT: usize = 65_000;

/// More lines than this are folded away.
const LONG: usize = 20;

/// More rows or hazards than this are counted: a comment of thousands of lines is read by nobody.
const ROWS: usize = 100;

const CUT: &str = "\n_The rest is cut: a comment holds 65,536 characters. `tenantry plan -v` shows all of it._\n";

#[must_use]
pub fn plan(plan: &Document) -> String {
    let blocks = blocks(plan, false);
    let mut out = format!("### {}\n", escape(&summary(plan)));
    if let Some(part) = &plan.targeting {
        out.push_str(&format!("\n**{}**\n", escape(&targeting(part))));
    }
    if plan.is_empty() {
        out.push_str(&format!("\n{}\n", no_changes(plan).replace("tenants.toml", "`tenants.toml`")));
    }
    out.push_str(&unseen(plan));
    out.push_str(&hazards(plan, &blocks));
    out.push_str(&table(&blocks));
    if let Some(report) = &plan.shape {
        out.push_str(&super::shape::markdown(report, &escape));
    }
    out.push_str(&notes(plan));
    let mut out = cut(out);
    let (changes, sql) = details(plan, &blocks);
    let left = |out: &String| LIMIT.saturating_sub(out.chars().count());
    // Room to say that there is no room for the SQL.
    let changes = section("Changes", "diff", &changes, left(&out).saturating_sub(2 * CUT.len()));
    out.push_str(&changes);
    let sql = section("SQL", "sql", &sql, left(&out));
    out.push_str(&sql);
    out
}

fn table(blocks: &[Block<'_>]) -> String {
    if blocks.is_empty() {
        return String::new();
    }
    let mut out = "\n| | tenants | changes |\n|---|---|---|\n".to_owned();
    blocks.iter().take(ROWS).for_each(|block| out.push_str(&row(block)));
    if let Some(rest) = blocks.get(ROWS..).filter(|rest| !rest.is_empty()) {
        let tenants: usize = rest.iter().map(|block| block.members.len()).sum();
        out.push_str(&format!("| | and {} more | each with changes of its own |\n", count(tenants, "tenant")));
    }
    out
}

/// What a reviewer must not miss is never folded.
fn hazards(plan: &Document, blocks: &[Block<'_>]) -> String {
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
            let hint = block.shape.hint.as_ref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
            lines.push(line("blocked", &who, &format!("{reason}{hint}")));
        }
    }
    if lines.len() > ROWS {
        let more = lines.split_off(ROWS).len();
        lines.push(format!("- and **{more} more hazards**\n"));
    }
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}

fn unseen(plan: &Document) -> String {
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
fn notes(plan: &Document) -> String {
    let notes = notes_of(plan, false);
    let lines: String = notes
        .iter()
        .take(LONG)
        .map(|note| {
            let who = names(note.members.iter().copied(), note.members.len(), "…");
            line("left unchanged", &format!("{who}:"), &format!("{}: {}", note.what, note.detail))
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
fn details(plan: &Document, blocks: &[Block<'_>]) -> (String, String) {
    let (mut changes, mut sql) = (String::new(), String::new());
    let mut statements = |from: &[Sql]| {
        for statement in from {
            let end = if statement.shown().starts_with("--") { "" } else { ";" };
            for line in statement_lines(&format!("{}{end}", statement.shown())) {
                sql.push_str(&format!("{line}\n"));
            }
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

/// A fenced block, folded when long, in so many characters. The fence is longer than any run of backticks inside.
fn section(title: &str, language: &str, text: &str, left: usize) -> String {
    if text.is_empty() {
        return String::new();
    }
    // A fence is three backticks, or one more than the longest run inside.
    let frame = 2 * longest_run(text).max(3) + 102;
    // Cut inside the fence, so that it is closed, and say so.
    let room = left.saturating_sub(frame + CUT.len());
    let whole = text.chars().count() + frame <= left;
    let shown = if whole { text } else { first_lines(text, room) };
    let rest = if whole { String::new() } else { CUT.replace("The rest", &format!("{title}: the rest")) };
    if shown.is_empty() {
        return if left > rest.len() { rest } else { String::new() };
    }
    let block = fenced(language, shown);
    if shown.lines().count() > LONG {
        format!("\n<details><summary>{title}</summary>\n\n{block}\n</details>\n{rest}")
    } else {
        format!("\n{block}{rest}")
    }
}

fn cut(out: String) -> String {
    if out.chars().count() + 2 * CUT.len() <= LIMIT {
        return out;
    }
    // Each section below may still say that it is cut.
    format!("{}{CUT}", first_lines(&out, LIMIT - 4 * CUT.len()))
}

/// As many whole lines as fit into so many characters.
fn first_lines(text: &str, room: usize) -> &str {
    let end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
    &text[..text[..end].rfind('\n').map_or(0, |at| at + 1)]
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Text as it is; the fence is longer than any run of backticks inside.
#[must_use]
pub fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}{language}\n{text}{fence}\n")
}

/// A line of text as a paragraph of its own. An underscore within a word is not markup, and a variable's name is better read so.
#[must_use]
pub fn paragraph(text: &str) -> String {
    let words = escape(text);
    let mut out = String::with_capacity(words.len() + 2);
    let mut rest = words.as_str();
    while let Some((before, after)) = rest.split_once("\\_") {
        let in_a_word = before.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if in_a_word { "_" } else { "\\_" });
        rest = after;
    }
    format!("{out}{rest}\n\n")
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
    use crate::core::plan::{Hazard, Kind, ShownChange, ShownTenant, Verb};

    fn tenant(key: &str, n: usize) -> ShownTenant {
        let changes = (0..n).map(|n| {
            let sql = vec![format!("ALTER ROLE \"a```b|c\" SET \"x{n}\" = '1'")];
            ShownChange::sql(Kind::SetSettings, format!("setting `x{n}` | <b>"), sql).before("a_b").after("@team")
        });
        ShownTenant {
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
            access: None,
        }
    }

    #[test]
    fn a_paragraph_keeps_the_underscores_of_its_words() {
        assert_eq!(paragraph("a_b on _x_ (from PG_A)"), "a_b on \\_x\\_ (from PG_A)\n\n");
    }

    #[test]
    fn names_are_no_markup_and_cannot_leave_their_fence() {
        let plan = Document { tenants: vec![tenant("acme", 2), tenant("globex", 2)], ..Document::default() };
        insta::assert_snapshot!(super::plan(&plan));
    }

    /// What GitHub would show of it: every fold and every fence is closed.
    #[track_caller]
    fn is_a_whole_comment(text: &str) {
        assert!(text.chars().count() <= LIMIT, "{}", text.chars().count());
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        let fences: Vec<_> = text.lines().filter(|line| line.starts_with("```")).collect();
        assert!(fences.len() % 2 == 0 && fences.chunks(2).all(|pair| pair[0].starts_with(pair[1])), "{fences:?}");
    }

    #[test]
    fn a_comment_never_exceeds_githubs_limit_and_says_what_is_cut() {
        // Each with changes of its own.
        let tenants: Vec<_> = (1..200).map(|n| tenant(&format!("t{n}"), n)).collect();
        let text = super::plan(&Document { tenants, ..Document::default() });
        is_a_whole_comment(&text);
        assert!(text.contains("| | and 99 tenants more |") && text.contains("and **99 more hazards**"), "{text}");
        assert!(text.contains("Changes: the rest is cut") && text.contains("SQL: the rest is cut"), "{text}");

        let many: Vec<_> = (0..5_000).map(|n| tenant(&format!("t{n}"), 3)).collect();
        let text = super::plan(&Document { tenants: many, ..Document::default() });
        is_a_whole_comment(&text);
        assert!(text.contains("**5000**: t0, t1") && !text.contains("is cut"), "{text}");

        // Hazards alone may be too many words.
        let mut tenants: Vec<_> = (0..200).map(|n| tenant(&format!("t{n}"), 1)).collect();
        for (n, tenant) in tenants.iter_mut().enumerate() {
            tenant.hazards[0].detail = format!("{n} {}", "long ".repeat(500));
        }
        let text = super::plan(&Document { tenants, ..Document::default() });
        is_a_whole_comment(&text);
        assert!(text.contains("\n_The rest is cut: a comment holds 65,536 characters."), "{text}");
    }
}

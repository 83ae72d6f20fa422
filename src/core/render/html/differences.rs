//! What differs, tenant by tenant, folded and cut to what a person reads.

use std::fmt::Write;

use super::escape::escape;
use crate::core::plan::{Document, Verb};
use crate::core::render::group::{Block, blocks};
use crate::core::render::page::names;
use crate::core::words::count;

/// Kinds of difference on the page. Whoever has more reads them in `tenantry plan`.
const BLOCKS: usize = 50;
/// More than these stand folded.
const OPEN: usize = 12;
/// Tenants of one kind of difference that are named.
const NAMED: usize = 500;

/// Tenants with the same difference stand together; what needs a person most comes first, then what most tenants share.
pub(super) fn differences(page: &mut String, plan: &Document, planning: &str) {
    if plan.is_empty() {
        return;
    }
    page.push_str(
        "<h2>What differs</h2>\n<p class=\"more\"><span class=\"before\">What is there</span> → \
         <span class=\"after\">what is declared</span>. {schema} and similar placeholders stand for each tenant's own names.</p>\n",
    );
    if !plan.database_changes.is_empty() {
        page.push_str("<details open><summary>What the tenants share</summary>\n<ul>\n");
        for change in &plan.database_changes {
            let _ = writeln!(page, "<li>{}</li>", escape(&change.detail));
        }
        page.push_str("</ul></details>\n");
    }
    let mut blocks = blocks(plan, false);
    let urgency = [Verb::Blocked, Verb::Remove, Verb::Update, Verb::Create, Verb::Unchanged];
    let most = |block: &Block<'_>| std::cmp::Reverse(block.members.len());
    blocks.sort_by_key(|block| (urgency.iter().position(|verb| *verb == block.verb), most(block)));
    for block in blocks.iter().take(BLOCKS) {
        difference(page, block, blocks.len() <= OPEN);
    }
    if let Some(rest) = blocks.get(BLOCKS..).filter(|rest| !rest.is_empty()) {
        let tenants: usize = rest.iter().map(|block| block.members.len()).sum();
        let _ = writeln!(
            page,
            "<p class=\"more\">and {} more, of {}; {} shows them all</p>",
            count(rest.len(), "difference"),
            count(tenants, "tenant"),
            escape(planning)
        );
    }
}

fn difference(page: &mut String, block: &Block<'_>, open: bool) {
    let members = block.members.len();
    let keys = || block.members.iter().map(|member| &member.tenant);
    let who = names(keys(), members, "…");
    let who = if members == 1 { who } else { format!("{members} tenants: {who}") };
    let verb = block.verb.as_str();
    let (unfolded, gist) = if open { (" open", String::new()) } else { ("", gist(block)) };
    let _ = writeln!(
        page,
        "<details{unfolded}><summary><span class=\"verb {verb}\">{verb}</span> {}{gist}</summary>\n<ul>",
        escape(&who)
    );
    for words in [&block.shape.reason, &block.shape.hint].into_iter().flatten() {
        let _ = writeln!(page, "<li>{}</li>", escape(words));
    }
    for change in &block.shape.changes {
        let value = |value: &Option<String>| value.as_deref().map_or("—".to_owned(), escape);
        let _ = writeln!(
            page,
            "<li>{}: <span class=\"before\">{}</span> → <span class=\"after\">{}</span></li>",
            escape(&change.what),
            value(&change.before),
            value(&change.after)
        );
    }
    for (_, detail) in &block.shape.hazards {
        let _ = writeln!(page, "<li class=\"hazard\">{}</li>", escape(detail));
    }
    page.push_str("</ul>\n");
    if who.ends_with('…') {
        let all: Vec<&str> = keys().take(NAMED).map(|key| key.as_str()).collect();
        let more = match members.saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let _ = writeln!(page, "<p class=\"names\">{}{more}</p>", escape(&all.join(", ")));
    }
    page.push_str("</details>\n");
}

/// What it is about, for those who do not unfold it.
fn gist(block: &Block<'_>) -> String {
    let first = match (&block.shape.reason, block.shape.changes.as_slice()) {
        (Some(reason), _) => escape(reason),
        (None, [only]) => escape(&only.what),
        (None, [first, more @ ..]) => format!("{}, and {} more", escape(&first.what), more.len()),
        (None, []) => return String::new(),
    };
    format!(" <span class=\"gist\">{first}</span>")
}

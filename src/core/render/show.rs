//! One tenant, desired against observed, both told in the same lines.

mod desired;
mod lines;
mod observed;

use crate::core::model::{Desired, Observed, TenantKey};
use lines::one_line;

use super::page::Page;
use super::style::Tone;
use super::{Style, inline};

/// The tenant's whole state as a diff: "-" is observed and not wanted, "+" is wanted and not there.
/// `None` when it is neither declared nor registered.
#[must_use]
pub fn tenant(desired: &Desired, observed: &Observed, key: &TenantKey, style: &Style) -> Option<String> {
    let declared = desired.tenants.get(key);
    let registered = observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
    if declared.is_none() && registered.is_none() {
        return None;
    }
    let before = observed::text(desired, observed, declared, registered);
    let after = declared.map(|tenant| desired::text(desired, observed, tenant)).unwrap_or_default();
    let mut page = Page::default();
    let class = declared.and_then(|tenant| tenant.class.as_ref());
    let class = class.map(|class| format!(" of class {}", one_line(class))).unwrap_or_default();
    page.line(0, style.paint(Tone::Strong, &format!("tenant {key}{class}")));
    let plan = crate::core::plan::diff(desired, observed, &|other| other == key);
    if before == after && plan.unseen.is_empty() {
        page.line(0, "In sync: the observed state is as declared.");
    } else if before == after {
        page.line(0, "No difference in what could be seen; not everything could:");
    } else {
        page.line(0, style.paint(Tone::Remove, "- observed"));
        page.line(0, style.paint(Tone::Create, "+ desired"));
    }
    page.gap();
    inline::lines(&mut page, 0, "  ", (&before, &after), *style);
    let mut notes = plan.tenants.iter().flat_map(|tenant| &tenant.notes).peekable();
    if notes.peek().is_some() {
        page.gap();
    }
    for note in notes {
        page.line(0, style.paint(Tone::Faint, &format!("note: {}  {}", one_line(&note.what), one_line(&note.detail))));
    }
    super::text::unseen(&mut page, &plan.unseen, *style);
    Some(page.into_string())
}

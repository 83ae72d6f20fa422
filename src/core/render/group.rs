//! Ten thousand tenants with the same changes are one block: the same once each one's own names are placeholders.

use std::collections::BTreeMap;

use super::fold;
use crate::core::model::{Access, TenantKey};
use crate::core::plan::{Document, Hazard, HazardKind, Kind, Note, ShownChange, ShownTenant, Verb};

/// Tenants to which the same happens, in the order of their keys.
pub(super) struct Block<'a> {
    pub verb: Verb,
    pub members: Vec<&'a ShownTenant>,
    pub shape: Shape,
}

/// What happens to a tenant, in the words a plan shows; hazards of lost data are left out, they are each tenant's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub access: Option<&'static str>,
    pub changes: Vec<Words>,
    pub hazards: Vec<(String, String)>,
    pub reason: Option<String>,
    pub hint: Option<String>,
}

/// A change without its SQL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Words {
    pub kind: Kind,
    pub what: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// The tenants that change, by verb; those that share a shape together, unless each is to stand on its own.
pub(super) fn blocks(plan: &Document, each_on_its_own: bool) -> Vec<Block<'_>> {
    let mut groups: BTreeMap<(Verb, Shape), Vec<&ShownTenant>> = BTreeMap::new();
    let mut blocks = Vec::new();
    for tenant in plan.tenants.iter().filter(|tenant| tenant.verb != Verb::Unchanged) {
        if each_on_its_own {
            // Whoever wants each tenant on its own wants each line as well.
            let shape = Shape { hazards: each(tenant), ..shape(tenant, &Names::none()) };
            blocks.push(Block { verb: tenant.verb, members: vec![tenant], shape });
        } else {
            let key = (tenant.verb, shape(tenant, &Names::of(tenant)));
            groups.entry(key).or_default().push(tenant);
        }
    }
    for ((verb, shape), members) in groups {
        // A block of one shows real names.
        let shape = if let [only] = members.as_slice() { self::shape(only, &Names::none()) } else { shape };
        blocks.push(Block { verb, members, shape });
    }
    blocks.sort_by_key(|block| (block.verb, &block.members[0].tenant));
    blocks
}

/// The same note of many tenants, once each one's own names are placeholders.
pub(super) struct NoteBlock<'a> {
    pub members: Vec<&'a TenantKey>,
    pub what: String,
    pub detail: String,
}

/// What is left unchanged; the same of many tenants together, unless each is to stand on its own.
pub(super) fn notes(plan: &Document, each_on_its_own: bool) -> Vec<NoteBlock<'_>> {
    let mut groups: BTreeMap<_, Vec<(&TenantKey, &Note)>> = BTreeMap::new();
    for tenant in &plan.tenants {
        let names = if each_on_its_own { Names::none() } else { Names::of(tenant) };
        for note in &tenant.notes {
            let alone = each_on_its_own.then_some(&tenant.tenant);
            let key = (names.hide(&note.what), names.hide(&note.detail), alone);
            groups.entry(key).or_default().push((&tenant.tenant, note));
        }
    }
    let mut blocks: Vec<_> = groups
        .into_iter()
        .map(|((what, detail, _), members)| {
            // A block of one shows real names.
            let (what, detail) = match members.as_slice() {
                [(_, note)] => (note.what.clone(), note.detail.clone()),
                _ => (what, detail),
            };
            NoteBlock { members: members.into_iter().map(|(tenant, _)| tenant).collect(), what, detail }
        })
        .collect();
    blocks.sort_by(|a, b| (a.members[0], &a.what, &a.detail).cmp(&(b.members[0], &b.what, &b.detail)));
    blocks
}

fn shape(tenant: &ShownTenant, names: &Names<'_>) -> Shape {
    let hide = |text: &String| names.hide(text);
    Shape {
        access: tenant.access.map(Access::as_str),
        changes: tenant.changes.iter().map(|change| words(change, names)).collect(),
        hazards: fold::hazards(of_a_shape(tenant))
            .iter()
            // The gravest stand at the top of the plan.
            .filter(|(kind, _)| !matches!(kind, HazardKind::DeletesData | HazardKind::PrivilegedTenant))
            .map(|(kind, detail)| (hazard_word(*kind), hide(detail)))
            .collect(),
        reason: tenant.reason.as_ref().map(hide),
        hint: tenant.hint.as_ref().map(hide),
    }
}

/// Each hazard in its own words.
fn each(tenant: &ShownTenant) -> Vec<(String, String)> {
    of_a_shape(tenant).map(|hazard| (hazard_word(hazard.kind), hazard.detail.clone())).collect()
}

fn of_a_shape(tenant: &ShownTenant) -> impl Iterator<Item = &Hazard> {
    tenant.hazards.iter().filter(|hazard| hazard.kind != HazardKind::DeletesData)
}

fn words(change: &ShownChange, names: &Names<'_>) -> Words {
    let hide = |text: &String| names.hide(text);
    // How much a dropped schema held is said by its hazard, tenant by tenant.
    let before = change.before.as_ref().filter(|_| change.kind != Kind::DropSchema || names.is_empty());
    Words {
        kind: change.kind,
        what: hide(&change.what),
        before: before.map(hide),
        after: change.after.as_ref().map(hide),
    }
}

/// The word of the JSON document.
pub(super) fn hazard_word(kind: HazardKind) -> String {
    serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A tenant's own names, and what stands for each.
pub(crate) struct Names<'a>(Vec<(&'a str, &'static str)>);

impl<'a> Names<'a> {
    pub fn of(tenant: &'a ShownTenant) -> Self {
        Self::new(tenant.tenant.as_str(), &tenant.username, &tenant.schema, &tenant.owner)
    }

    #[cfg(feature = "engine")]
    pub fn of_plan(plan: &'a crate::core::plan::TenantPlan) -> Self {
        Self::new(plan.tenant.as_str(), &plan.username, &plan.schema, &plan.owner)
    }

    pub fn new(tenant: &'a str, username: &'a str, schema: &'a str, owner: &'a str) -> Self {
        let mut names = vec![(tenant, "{tenant}"), (username, "{username}"), (schema, "{schema}"), (owner, "{owner}")];
        // Longest first: a name may hold another. The sort keeps the order of names that are the same.
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self(names)
    }

    /// Hides nothing.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with each whole name replaced by its placeholder.
    pub fn hide(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut previous = None;
        'text: while let Some(next) = rest.chars().next() {
            if !previous.is_some_and(is_name_character) {
                for (name, placeholder) in &self.0 {
                    let Some(after) = rest.strip_prefix(name).filter(|_| !name.is_empty()) else { continue };
                    if !after.chars().next().is_some_and(is_name_character) {
                        out.push_str(placeholder);
                        previous = name.chars().next_back();
                        rest = after;
                        continue 'text;
                    }
                }
            }
            out.push(next);
            previous = Some(next);
            rest = &rest[next.len_utf8()..];
        }
        out
    }
}

/// Keys hold "-", so that one is part of a name too.
fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(key: &str, schema: &str, username: &str, owner: &str) -> ShownTenant {
        ShownTenant {
            tenant: TenantKey::new(key).unwrap(),
            verb: Verb::Update,
            schema: schema.into(),
            username: username.into(),
            owner: owner.into(),
            changes: Vec::new(),
            hazards: Vec::new(),
            reason: None,
            hint: None,
            notes: Vec::new(),
            access: None,
        }
    }

    #[test]
    fn whole_names_only_are_hidden_the_longest_first() {
        let plan = tenant("big", "big_corp", "big_corp_user", "shared");
        let hidden = Names::of(&plan)
            .hide("big_corp_user@h in big_corp of big at tenants/big; big-corp, bigger, \"big_corp\", shared_2");
        assert_eq!(
            hidden,
            "{username}@h in {schema} of {tenant} at tenants/{tenant}; big-corp, bigger, \"{schema}\", shared_2"
        );
    }

    #[test]
    fn names_that_are_the_same_are_the_tenants_key() {
        let plan = tenant("acme", "acme", "acme", "acme_owner");
        assert_eq!(Names::of(&plan).hide("role acme, schema acme"), "role {tenant}, schema {tenant}");
        assert_eq!(Names::of(&tenant("e", "é", "ü", "ö")).hide("é ü"), "{schema} {username}");
    }
}

//! A reference is made in a scratch schema with scratch roles; a definition may hold their names.

use std::collections::BTreeSet;

use super::{Object, ObjectName, Part, PartName, Shape};
use crate::core::model::ident;

/// The names that are a tenant's own: those of the reference stand for those of a tenant.
///
/// The reference's are unguessable, so where one stands it is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub schema: String,
    pub username: String,
    pub owner: String,
}

impl Names {
    fn pairs<'a>(&'a self, tenant: &'a Self) -> [(&'a str, &'a str); 3] {
        // The roles' names begin with the schema's in a reference, so they come first.
        [(&self.username, &tenant.username), (&self.owner, &tenant.owner), (&self.schema, &tenant.schema)]
    }

    /// Whether a text of the reference holds one of these.
    #[must_use]
    pub fn stand_in(&self, text: &str) -> bool {
        text.contains(&self.schema)
    }

    /// Whether the tenant's text is the reference's, each name being the tenant's: as an identifier, as it is, or in a literal.
    #[must_use]
    pub fn fit(&self, reference: &str, text: &str, tenant: &Self) -> bool {
        let first = self.pairs(tenant).into_iter().filter_map(|(from, to)| Some((reference.find(from)?, from, to)));
        let Some((at, from, to)) = first.min_by_key(|(at, from, _)| (*at, usize::MAX - from.len())) else {
            return reference == text;
        };
        let Some(rest) = text.strip_prefix(&reference[..at]) else { return false };
        let after = &reference[at + from.len()..];
        forms(to).iter().filter_map(|form| rest.strip_prefix(form.as_str())).any(|rest| self.fit(after, rest, tenant))
    }

    /// The reference as it would be in the tenant's schema: what fits is spelled as the tenant has it.
    #[must_use]
    pub fn reference_for(&self, reference: &Shape, tenant: &Self, shape: &Shape) -> Shape {
        let objects = reference.objects.iter().map(|(name, object)| {
            let name = ObjectName {
                kind: name.kind.clone(),
                name: self.key(&name.name, tenant, || {
                    shape
                        .objects
                        .keys()
                        .filter(|other| other.kind == name.kind)
                        .map(|other| other.name.as_str())
                        .collect()
                }),
            };
            let same = shape.objects.get(&name);
            let parts = object.parts.iter().map(|(part, want)| {
                let part = PartName {
                    kind: part.kind.clone(),
                    name: self.key(&part.name, tenant, || {
                        let parts = same.iter().flat_map(|object| object.parts.keys());
                        parts.filter(|other| other.kind == part.kind).map(|other| other.name.as_str()).collect()
                    }),
                };
                let have = same.and_then(|object| object.parts.get(&part)).map(|part| part.definition.as_str());
                let definition = self.definition(&want.definition, tenant, have);
                (part, Part { position: want.position, definition })
            });
            let parts = parts.collect();
            let definition = self.definition(&object.definition, tenant, same.map(|object| object.definition.as_str()));
            (name, Object { definition, is_partition: object.is_partition, parts })
        });
        Shape { objects: objects.collect() }
    }

    fn key<'a>(&self, name: &str, tenant: &Self, others: impl Fn() -> Vec<&'a str>) -> String {
        if !self.stand_in(name) {
            return name.to_owned();
        }
        let fitting = others().into_iter().find(|other| self.fit(name, other, tenant));
        fitting.map_or_else(|| self.spelled(name, tenant), str::to_owned)
    }

    fn definition(&self, want: &str, tenant: &Self, have: Option<&str>) -> String {
        match have {
            _ if !self.stand_in(want) => want.to_owned(),
            Some(have) if self.fit(want, have, tenant) => have.to_owned(),
            _ => self.spelled(want, tenant),
        }
    }

    fn spelled(&self, text: &str, tenant: &Self) -> String {
        self.pairs(tenant).iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, &as_printed(to)))
    }
}

/// The ways a name may stand in SQL: as it is, as an identifier, and either inside of literals, three deep at most.
fn forms(name: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([name.to_owned(), ident(name), name.replace('"', "\"\"")]);
    for _ in 0..3 {
        let quoted: Vec<String> = forms.iter().map(|form| form.replace('\'', "''")).collect();
        forms.extend(quoted);
    }
    forms
}

/// As PostgreSQL prints an identifier: quoted where that is needed (but for keywords, which nobody asks about here).
fn as_printed(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_plain = name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit());
    if is_plain { name.to_owned() } else { ident(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(schema: &str, username: &str, owner: &str) -> Names {
        Names { schema: schema.into(), username: username.into(), owner: owner.into() }
    }

    #[test]
    fn a_name_of_the_tenants_fits_however_it_is_quoted_and_nowhere_else() {
        let scratch = names("s_1f", "s_1f_user", "s_1f_owner");
        let tenant = names("it's \"a\"", "u", "o");
        let reference = "SET search_path=s_1f, pg_temp AS SELECT 's_1f', s_1f.f('s_1f_user')";
        let text = "SET search_path=\"it's \"\"a\"\"\", pg_temp AS SELECT 'it''s \"a\"', \"it's \"\"a\"\"\".f('u')";
        assert!(scratch.fit(reference, text, &tenant));
        assert!(!scratch.fit(reference, &text.replace("'u'", "'v'"), &tenant));
        assert!(!scratch.fit("SELECT 1", "SELECT 2", &tenant));
        let short = names("a", "a", "a");
        assert!(scratch.fit("a s_1f a", "a a a", &short));
    }
}

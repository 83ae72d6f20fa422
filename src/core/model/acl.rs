//! Access privileges as PostgreSQL stores them: `aclitem`, parsed (manual, "Privileges").

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Who holds a privilege.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    /// Every role, written as an empty name in an `aclitem`.
    Public,
    Role(String),
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("PUBLIC"),
            Self::Role(name) => f.write_str(name),
        }
    }
}

/// One entry of an ACL: `grantee=privileges/grantor`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclItem {
    pub grantee: Grantee,
    /// One letter a privilege: r w a d D x t X U C c T s A m.
    pub privileges: BTreeSet<char>,
    /// Those of `privileges` that the grantee may pass on (`*`).
    pub grantable: BTreeSet<char>,
    pub grantor: String,
}

/// An object's ACL: what each grantee holds, and from whom.
///
/// Whatever the owner did not grant hangs on a grant option, which in the end the owner gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl(BTreeMap<(Grantee, Option<String>), Held>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    privileges: BTreeSet<char>,
    grantable: BTreeSet<char>,
}

/// What one grantee holds from one grantor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub grantee: &'a Grantee,
    /// `None`: the object's owner.
    pub grantor: Option<&'a str>,
    /// Sorted letters.
    pub privileges: String,
    /// Those of them that the grantee may pass on, sorted.
    pub grantable: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an aclitem")]
pub struct ParseAclError(String);

impl std::str::FromStr for AclItem {
    type Err = ParseAclError;

    /// The text form of `aclitemout`: names other than letters, digits and `_` stand in double quotes.
    fn from_str(text: &str) -> Result<Self, ParseAclError> {
        let fail = || ParseAclError(text.to_owned());
        let (grantee, rest) = name_until(text, '=').ok_or_else(fail)?;
        let (letters, grantor) = rest.split_once('/').ok_or_else(fail)?;
        let (grantor, _) = name_until(&format!("{grantor}="), '=').ok_or_else(fail)?;
        let mut privileges = BTreeSet::new();
        let mut grantable = BTreeSet::new();
        let mut last = None;
        for c in letters.chars() {
            match (c, last) {
                ('*', Some(privilege)) if privilege != '*' => drop(grantable.insert(privilege)),
                (c, _) if c.is_ascii_alphabetic() => drop(privileges.insert(c)),
                _ => return Err(fail()),
            }
            last = Some(c);
        }
        let grantee = if grantee.is_empty() { Grantee::Public } else { Grantee::Role(grantee) };
        Ok(Self { grantee, privileges, grantable, grantor })
    }
}

/// A possibly quoted name up to `end`, and what follows `end`.
fn name_until(text: &str, end: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut quoted = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                name.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            c if c == end && !quoted => return Some((name, &text[at + c.len_utf8()..])),
            c => name.push(c),
        }
    }
    None
}

impl Acl {
    /// # Errors
    /// When one of the texts is no `aclitem`.
    pub fn parse<S: AsRef<str>>(items: &[S], owner: &str) -> Result<Self, ParseAclError> {
        let mut acl = Self::default();
        for item in items {
            let AclItem { grantee, privileges, grantable, grantor } = item.as_ref().parse()?;
            acl.add(grantee, Some(grantor).filter(|grantor| grantor != owner), &Held { privileges, grantable });
        }
        Ok(acl)
    }

    /// With these letters more, granted by the owner.
    #[must_use]
    pub fn with(self, grantee: Grantee, privileges: &str) -> Self {
        self.with_entry(&Entry {
            grantee: &grantee,
            grantor: None,
            privileges: privileges.into(),
            grantable: String::new(),
        })
    }

    #[must_use]
    pub fn with_entry(mut self, entry: &Entry<'_>) -> Self {
        if !entry.privileges.is_empty() {
            let held =
                Held { privileges: entry.privileges.chars().collect(), grantable: entry.grantable.chars().collect() };
            self.add(entry.grantee.clone(), entry.grantor.map(str::to_owned), &held);
        }
        self
    }

    fn add(&mut self, grantee: Grantee, grantor: Option<String>, held: &Held) {
        let entry = self.0.entry((grantee, grantor)).or_default();
        entry.privileges.extend(&held.privileges);
        entry.grantable.extend(&held.grantable);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The privileges a role (not PUBLIC) was granted by the owner, as sorted letters.
    #[must_use]
    pub fn of(&self, role: &str) -> String {
        self.letters(&Grantee::Role(role.to_owned()))
    }

    /// Those of PUBLIC, whoever granted them: there is no right that PUBLIC has and a role has not.
    #[must_use]
    pub fn of_public(&self) -> String {
        let held = self.0.iter().filter(|((grantee, _), _)| *grantee == Grantee::Public);
        held.flat_map(|(_, held)| &held.privileges).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The privileges a grantee was granted by the owner, as sorted letters.
    #[must_use]
    pub fn letters(&self, grantee: &Grantee) -> String {
        self.0.get(&(grantee.clone(), None)).map(|held| held.privileges.iter().collect()).unwrap_or_default()
    }

    /// The ACL as it reads once roles have new names.
    #[must_use]
    pub fn renamed(&self, new_name: &dyn Fn(&str) -> Option<String>) -> Self {
        let rename = |name: &String| new_name(name).unwrap_or_else(|| name.clone());
        let mut renamed = Self::default();
        for ((grantee, grantor), held) in &self.0 {
            let grantee = match grantee {
                Grantee::Role(name) => Grantee::Role(rename(name)),
                Grantee::Public => Grantee::Public,
            };
            renamed.add(grantee, grantor.as_ref().map(rename), held);
        }
        renamed
    }

    /// The ACL after `ALTER … OWNER TO`: what the old owner held and granted, the new owner holds and granted.
    #[must_use]
    pub fn handed_over(&self, from: &str, to: &str) -> Self {
        let renamed = self.renamed(&|name| (name == from).then(|| to.to_owned()));
        let mut acl = Self::default();
        for ((grantee, grantor), held) in renamed.0 {
            acl.add(grantee, grantor.filter(|grantor| grantor != to), &held);
        }
        acl
    }

    /// Every grantee with what it holds from each grantor.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.0.iter().map(|((grantee, grantor), held)| Entry {
            grantee,
            grantor: grantor.as_deref(),
            privileges: held.privileges.iter().collect(),
            grantable: held.grantable.iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aclitem_with_quotes_grant_options_and_public_is_read() {
        let item: AclItem = r#""Bobby""; x=y"=ar*w/"po st""#.parse().unwrap();
        assert_eq!(item.grantee, Grantee::Role("Bobby\"; x=y".into()));
        assert_eq!(item.privileges, ['a', 'r', 'w'].into());
        assert_eq!(item.grantable, ['r'].into());
        assert_eq!(item.grantor, "po st");
        let public: AclItem = "=UC/postgres".parse().unwrap();
        assert_eq!(public.grantee, Grantee::Public);
        for text in ["nonsense", "a=r**/b", "a=*r/b"] {
            assert!(text.parse::<AclItem>().is_err(), "{text}");
        }
    }

    #[test]
    fn grants_of_several_grantors_are_told_apart_and_change_hands_with_the_object() {
        let acl = Acl::parse(&["u=r*/a", "u=w/b", "=X/a", "=U/u"], "a").unwrap();
        assert!(Acl::default().is_empty() && !acl.is_empty());
        assert_eq!((acl.of("u"), acl.of("v"), acl.of_public()), ("r".into(), String::new(), "UX".into()));
        let by_others: Vec<_> = acl.entries().filter(|entry| entry.grantor.is_some()).collect();
        assert_eq!(by_others.len(), 2, "{by_others:?}");
        let handed = acl.handed_over("a", "b");
        assert_eq!(handed.of("u"), "rw");
        assert_eq!(handed.entries().filter_map(|entry| entry.grantor).collect::<Vec<_>>(), ["u"]);
    }
}

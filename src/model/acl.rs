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

/// An object's ACL: what each grantee holds, whoever granted it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl(BTreeMap<Grantee, BTreeSet<char>>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no aclitem")]
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
                ('*', Some(privilege)) => drop(grantable.insert(privilege)),
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
    pub fn parse<S: AsRef<str>>(items: &[S]) -> Result<Self, ParseAclError> {
        let mut acl = Self::default();
        for item in items {
            let item: AclItem = item.as_ref().parse()?;
            acl.0.entry(item.grantee).or_default().extend(item.privileges);
        }
        Ok(acl)
    }

    #[must_use]
    pub fn with(mut self, grantee: Grantee, privileges: &str) -> Self {
        if !privileges.is_empty() {
            self.0.entry(grantee).or_default().extend(privileges.chars());
        }
        self
    }

    /// The privileges a role (not PUBLIC) was granted itself, as sorted letters.
    #[must_use]
    pub fn of(&self, role: &str) -> String {
        self.letters(&Grantee::Role(role.to_owned()))
    }

    #[must_use]
    pub fn of_public(&self) -> String {
        self.letters(&Grantee::Public)
    }

    fn letters(&self, grantee: &Grantee) -> String {
        self.0.get(grantee).map(|set| set.iter().collect()).unwrap_or_default()
    }

    /// The ACL as it reads once roles have new names.
    #[must_use]
    pub fn renamed(&self, new_name: &dyn Fn(&str) -> Option<String>) -> Self {
        let rename = |grantee: &Grantee| match grantee {
            Grantee::Role(name) => Grantee::Role(new_name(name).unwrap_or_else(|| name.clone())),
            Grantee::Public => Grantee::Public,
        };
        let mut renamed = Self::default();
        for (grantee, set) in &self.0 {
            renamed.0.entry(rename(grantee)).or_default().extend(set);
        }
        renamed
    }

    /// The ACL after `ALTER … OWNER TO`: what the old owner held is the new owner's.
    #[must_use]
    pub fn handed_over(&self, from: &str, to: &str) -> Self {
        self.renamed(&|name| (name == from).then(|| to.to_owned()))
    }

    /// Every grantee with its privileges as sorted letters.
    pub fn entries(&self) -> impl Iterator<Item = (&Grantee, String)> {
        self.0.iter().map(|(grantee, set)| (grantee, set.iter().collect()))
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
        assert!("nonsense".parse::<AclItem>().is_err());
    }

    #[test]
    fn grants_of_several_grantors_add_up() {
        let acl = Acl::parse(&["u=r/a", "u=w/b", "=X/a"]).unwrap();
        assert_eq!(acl.of("u"), "rw");
        assert_eq!(acl.of_public(), "X");
        assert_eq!(acl.of("v"), "");
    }
}

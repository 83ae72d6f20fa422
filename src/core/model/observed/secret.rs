//! What a look at the secret store says.

use crate::core::model::secret::{Mark, SecretFields};

/// What the store has at a tenant's path.
#[derive(Clone, Debug)]
pub enum SecretState {
    /// Ours, by its metadata or its own words.
    Ours {
        version: String,
        created: Option<jiff::Timestamp>,
        /// The store's metadata say that it is ours. Not so when a write was interrupted before its metadata.
        marked: bool,
        /// Whose, by its mark.
        belongs: Belongs,
        /// Read only when the version is not the registry's, or the password is given.
        contents: Option<SecretContents>,
    },
    /// Somebody else's; why we think so.
    Foreign(String),
    /// We may not read it.
    Unseen,
}

/// Whose a secret is, by the mark that the run which wrote it left there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Belongs {
    /// This database's.
    #[default]
    Here,
    /// It has no mark: an older version wrote it.
    Unmarked,
    /// This database's, from before it moved.
    Former,
    /// It was written by this run, which this registry does not know and which had this registry's identity: a copy's.
    AnotherCopy(String),
    /// It was written for the cluster of this system identifier.
    AnotherCluster(String),
    /// Another database's, with this mark.
    AnotherFleet(Box<Mark>),
}

#[derive(Clone, Debug)]
pub struct SecretContents {
    pub fields: SecretFields,
    /// Whether its password is the one of the version that the registry remembers, so that only other keys were changed;
    /// `None` when that is not known.
    pub password_is_remembered_one: Option<bool>,
    /// Whether its url is what its other keys give.
    pub url_says_the_same: bool,
    /// Why nobody could log in with its password.
    pub unusable: Option<&'static str>,
    /// Whether its password is the one `password_from` gives; `None` when none is given.
    pub password_is_given_one: Option<bool>,
}

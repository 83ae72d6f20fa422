//! What only the registry remembers.

use super::view::{Action, Kind};
use crate::core::model::{Access, OnRemove, Origin};

/// From, to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetPolicy {
    OnRemove(OnRemove, OnRemove),
    Protected(bool, bool),
    Access(Access, Access),
    Suspended(bool, bool),
    DeclaredBy(Origin, Origin),
}

impl Action for SetPolicy {
    fn kind(&self) -> Kind {
        Kind::SetPolicy
    }

    fn what(&self) -> String {
        match self {
            Self::OnRemove(..) => "on_remove",
            Self::Protected(..) => "protected",
            Self::Access(..) => "access",
            Self::Suspended(..) => "suspended",
            Self::DeclaredBy(..) => "declared by",
        }
        .into()
    }

    fn before(&self) -> Option<String> {
        Some(match self {
            Self::OnRemove(from, _) => from.as_str().into(),
            Self::Protected(from, _) => from.to_string(),
            Self::Access(from, _) => from.as_str().into(),
            Self::Suspended(from, _) => from.to_string(),
            Self::DeclaredBy(from, _) => from.as_str().into(),
        })
    }

    fn after(&self) -> Option<String> {
        Some(match self {
            Self::OnRemove(_, to) => to.as_str().into(),
            Self::Protected(_, to) => to.to_string(),
            Self::Access(_, to) => to.as_str().into(),
            Self::Suspended(_, to) => to.to_string(),
            Self::DeclaredBy(_, to) => to.as_str().into(),
        })
    }
}

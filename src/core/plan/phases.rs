//! What happens to one tenant, in the order of docs/adr/0001: who applies reads it from top to bottom.

use super::action::{
    Action, BorrowRights, Change, DeleteSecret, DropLargeObjects, EndSessions, ForgetSecret, Kind, LateMigrations,
    MakeArchive, Migrate, ParkNames, ReturnRights, WriteSecret,
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// In one transaction with the others of the cycle, and before their changes.
    pub park: Option<ParkNames>,
    /// Rights that a removal's lock-out and each of its transactions begin with.
    pub rights: Option<BorrowRights>,
    /// Before BEGIN.
    pub lock_out: Option<EndSessions>,
    /// In the first transaction that drops something.
    pub archive: Option<MakeArchive>,
    /// What is dropped in transactions of its own: once it has begun, there is no way back.
    pub batches: Vec<Batch>,
    /// BEGIN … COMMIT.
    pub transaction: Vec<Change>,
    /// The end of a removal's transactions.
    pub give_back: Option<ReturnRights>,
    /// Just before COMMIT.
    pub secret: Option<WriteSecret>,
    pub after: Vec<AfterCommit>,
}

/// What is dropped a few at a time, because PostgreSQL's lock table has no room for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    LargeObjects(DropLargeObjects),
    /// The tables of the schema, so many in a transaction.
    Tables {
        schema: String,
        at_once: i64,
    },
}

impl Batch {
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::LargeObjects(drop) => drop.what(),
            Self::Tables { schema, .. } => format!("schema {schema}"),
        }
    }
}

/// What cannot be part of the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterCommit {
    DeleteSecret(DeleteSecret),
    ForgetSecret(ForgetSecret),
    /// A plan shows them with those of the transaction.
    Migrate(LateMigrations),
}

impl Phases {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every action, in the order in which a plan shows them.
    #[must_use]
    pub fn actions(&self) -> Vec<&dyn Action> {
        // Sessions end once nobody can log in any more.
        let closes = |change: &Change| change.kind() == Kind::AlterRole && self.lock_out.is_some();
        let closed = self.transaction.iter().rposition(closes).map_or(0, |at| at + 1);
        let (closing, rest) = self.transaction.split_at(closed);
        let mut actions: Vec<&dyn Action> = Vec::new();
        actions.extend(self.park.iter().map(|action| action as &dyn Action));
        actions.extend(closing.iter().map(Change::view));
        actions.extend(self.rights.iter().map(|action| action as &dyn Action));
        actions.extend(self.lock_out.iter().map(|action| action as &dyn Action));
        actions.extend(self.archive.iter().map(|action| action as &dyn Action));
        actions.extend(rest.iter().map(Change::view));
        actions.extend(self.give_back.iter().map(|action| action as &dyn Action));
        actions.extend(self.secret.iter().map(|action| action as &dyn Action));
        actions.extend(self.after.iter().filter_map(AfterCommit::view));
        actions
    }

    #[must_use]
    pub fn has(&self, kinds: &[Kind]) -> bool {
        self.actions().iter().any(|action| kinds.contains(&action.kind()))
    }

    /// Some of it is sent to PostgreSQL, and not only noted in the registry.
    #[must_use]
    pub fn has_sql(&self) -> bool {
        self.actions().iter().any(|action| !action.sql().is_empty())
    }

    #[must_use]
    pub fn drops_schema(&self) -> bool {
        self.transaction.iter().any(|change| matches!(change, Change::DropSchema(_)))
    }

    /// The migrations that are to run, now or later.
    #[must_use]
    pub fn migrate(&self) -> Option<&Migrate> {
        self.transaction.iter().find_map(|change| match change {
            Change::Migrate(migrate) => Some(migrate),
            _ => None,
        })
    }

    /// Something of it is logged in for: pg_dump, or what runs outside a transaction.
    #[must_use]
    pub fn needs_a_deputy(&self) -> bool {
        self.archive.is_some() || self.migrate().is_some_and(|migrate| migrate.files.iter().any(|file| file.logs_in))
    }

    pub fn deletes_secrets(&self) -> impl Iterator<Item = &DeleteSecret> {
        self.after.iter().filter_map(|after| match after {
            AfterCommit::DeleteSecret(delete) => Some(delete),
            AfterCommit::ForgetSecret(_) | AfterCommit::Migrate(_) => None,
        })
    }

    pub fn forgets_secrets(&self) -> impl Iterator<Item = &ForgetSecret> {
        self.after.iter().filter_map(|after| match after {
            AfterCommit::ForgetSecret(forget) => Some(forget),
            AfterCommit::DeleteSecret(_) | AfterCommit::Migrate(_) => None,
        })
    }

    #[must_use]
    pub fn late_migrations(&self) -> Option<&LateMigrations> {
        self.after.iter().find_map(|after| match after {
            AfterCommit::Migrate(late) => Some(late),
            AfterCommit::DeleteSecret(_) | AfterCommit::ForgetSecret(_) => None,
        })
    }

    /// Writes a secret, or deletes one.
    #[must_use]
    pub fn changes_secrets(&self) -> bool {
        self.secret.is_some() || self.deletes_secrets().next().is_some()
    }
}

impl AfterCommit {
    fn view(&self) -> Option<&dyn Action> {
        match self {
            Self::DeleteSecret(action) => Some(action),
            Self::ForgetSecret(action) => Some(action),
            Self::Migrate(_) => None,
        }
    }
}

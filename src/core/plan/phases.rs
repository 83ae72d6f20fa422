//! What happens to one tenant, in the order of docs/adr/0001: who applies reads it from top to bottom.

use super::action::{
    Action, BorrowRights, Change, DeleteSecret, DeleteVault, DropLargeObjects, EndSessions, ForgetSecret, Kind,
    LateMigrations, MakeArchive, Migrate, ParkNames, ReturnRights, Rights, SetVault, WriteSecret,
};
use crate::core::model::Rotation;

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
    /// After COMMIT, instead: what the secret is to name can log in by then.
    pub switch: Option<Switch>,
    pub after: Vec<AfterCommit>,
}

/// The secret names another user from now on, which logs in already; the one that it named may still, until the next switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    pub secret: WriteSecret,
    /// What may only be done once no secret names the other: in one transaction with the registry's note.
    pub then: Vec<Change>,
    /// Who logs in for the tenant from then on.
    pub rotation: Rotation,
    /// Once nobody can log in as it any more.
    pub end: Option<EndOld>,
}

/// The sessions of the user that the secret named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndOld {
    pub sessions: EndSessions,
    /// Those of the one that the secret is to name, from before it got its password: a run that was cut off may have left them.
    /// Ended before the secret names it.
    pub earlier: Option<EndSessions>,
    /// To end them takes their rights; `None`: we have them.
    pub rights: Option<Rights>,
}

impl Switch {
    /// The two users go with it, because the username logs in again.
    #[must_use]
    pub fn drops_users(&self) -> bool {
        self.then.iter().any(|change| matches!(change, Change::DropRole(_)))
    }
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
    SetVault(SetVault),
    DeleteVault(DeleteVault),
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
        if let Some(switch) = &self.switch {
            actions.push(&switch.secret);
            actions.extend(switch.then.iter().map(Change::view));
            let ended = switch.end.iter().flat_map(|end| end.earlier.iter().chain([&end.sessions]));
            actions.extend(ended.map(|sessions| sessions as &dyn Action));
        }
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

    /// In the transaction a function of the owner's is called.
    #[must_use]
    pub fn runs_a_tenants_code(&self) -> bool {
        self.migrate().is_some() || self.transaction.iter().any(|change| matches!(change, Change::Baseline(_)))
    }

    /// Something of it is logged in for: pg_dump, or what runs outside a transaction.
    #[must_use]
    pub fn needs_a_deputy(&self) -> bool {
        self.archive.is_some() || self.migrate().is_some_and(|migrate| migrate.files.iter().any(|file| file.logs_in))
    }

    pub fn deletes_secrets(&self) -> impl Iterator<Item = &DeleteSecret> {
        self.after.iter().filter_map(|after| match after {
            AfterCommit::DeleteSecret(delete) => Some(delete),
            _ => None,
        })
    }

    pub fn forgets_secrets(&self) -> impl Iterator<Item = &ForgetSecret> {
        self.after.iter().filter_map(|after| match after {
            AfterCommit::ForgetSecret(forget) => Some(forget),
            _ => None,
        })
    }

    #[must_use]
    pub fn late_migrations(&self) -> Option<&LateMigrations> {
        self.after.iter().find_map(|after| match after {
            AfterCommit::Migrate(late) => Some(late),
            _ => None,
        })
    }

    pub fn sets_vault(&self) -> impl Iterator<Item = &SetVault> {
        self.after.iter().filter_map(|after| match after {
            AfterCommit::SetVault(set) => Some(set),
            _ => None,
        })
    }

    pub fn deletes_vault(&self) -> impl Iterator<Item = &DeleteVault> {
        self.after.iter().filter_map(|after| match after {
            AfterCommit::DeleteVault(delete) => Some(delete),
            _ => None,
        })
    }

    /// Writes a secret, deletes one, or changes who may read it.
    #[must_use]
    pub fn changes_secrets(&self) -> bool {
        let access = self.sets_vault().next().is_some() || self.deletes_vault().next().is_some();
        self.secret.is_some() || self.switch.is_some() || self.deletes_secrets().next().is_some() || access
    }
}

impl AfterCommit {
    /// `None`: a plan shows it elsewhere.
    pub(super) fn view(&self) -> Option<&dyn Action> {
        match self {
            Self::SetVault(action) => Some(action),
            Self::DeleteVault(action) => Some(action),
            Self::DeleteSecret(action) => Some(action),
            Self::ForgetSecret(action) => Some(action),
            Self::Migrate(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{FormerSecret, Subject, TenantKey};
    use crate::core::plan::action::{AlterRole, Attribute, DropSchema, PendingFile, Whose};

    fn delete() -> AfterCommit {
        AfterCommit::DeleteSecret(DeleteSecret { path: "t/acme".into(), expected: "1".into() })
    }

    fn forget() -> AfterCommit {
        let (store, place) = ("file".into(), "/secrets".into());
        AfterCommit::ForgetSecret(ForgetSecret(FormerSecret { store, place, path: "old".into(), version: "1".into() }))
    }

    fn drop_schema() -> Change {
        DropSchema { schema: "tenant_acme".into(), tables: 1, bytes: 0, at_once: None }.into()
    }

    fn archive() -> MakeArchive {
        let tenant = TenantKey::new("acme").unwrap();
        let [schema, username, owner] = ["s", "u", "o"].map(str::to_owned);
        let subject = Subject { tenant, schema, username, owner, access: Default::default() };
        MakeArchive { subject, roles: vec!["o".into()], dir: "/archives".into() }
    }

    fn migrate(logs_in: bool) -> Migrate {
        let file = PendingFile { version: 1, file: "V1__a.sql".into(), logs_in };
        let (schema, owner) = ("s".into(), "o".into());
        Migrate {
            schema,
            owner,
            files: vec![file],
            last: None,
            format: crate::core::migrations::Format::Refinery,
            transactions: Vec::new(),
            at_once: false,
            new_history: None,
        }
    }

    #[test]
    fn secrets_change_when_one_is_written_or_deleted_and_not_when_one_is_forgotten() {
        let after = |after| Phases { after: vec![after], ..Phases::default() };
        assert!(after(delete()).changes_secrets());
        assert!(!after(forget()).changes_secrets());
        assert_eq!(after(delete()).deletes_secrets().count(), 1);
        assert_eq!(after(delete()).forgets_secrets().count(), 0);
        assert_eq!(after(forget()).deletes_secrets().count(), 0);
        assert_eq!(after(forget()).forgets_secrets().count(), 1);
        assert!(after(forget()).has_sql() && !after(delete()).has_sql());
        assert!(Phases::default().is_empty() && !after(forget()).is_empty());
    }

    #[test]
    fn a_deputy_is_made_for_an_archive_and_for_what_runs_outside_a_transaction() {
        let of = |change: Change| Phases { transaction: vec![change], ..Phases::default() };
        assert!(Phases { archive: Some(archive()), ..Phases::default() }.needs_a_deputy());
        assert!(of(migrate(true).into()).needs_a_deputy());
        assert!(!of(migrate(false).into()).needs_a_deputy());
        assert!(of(drop_schema()).drops_schema() && !of(migrate(false).into()).drops_schema());
    }

    #[test]
    fn sessions_are_shown_to_end_once_nobody_can_log_in_any_more() {
        let [role, username, login] = ["u", "u", "u"].map(str::to_owned);
        let closes =
            AlterRole { whose: Whose::Username, role: role.clone(), attributes: vec![Attribute::Without("LOGIN")] };
        let lock_out = Some(EndSessions { roles: vec![role], username, login, is_dropped: false });
        let kinds = |phases: &Phases| phases.actions().iter().map(|action| action.kind()).collect::<Vec<_>>();
        let retained = Phases {
            lock_out: lock_out.clone(),
            transaction: vec![closes.into()],
            after: vec![delete()],
            ..Phases::default()
        };
        assert_eq!(kinds(&retained), [Kind::AlterRole, Kind::EndSessions, Kind::DeleteSecret]);
        let removed =
            Phases { lock_out, archive: Some(archive()), transaction: vec![drop_schema()], ..Phases::default() };
        assert_eq!(kinds(&removed), [Kind::EndSessions, Kind::Archive, Kind::DropSchema]);
        assert!(removed.has(&[Kind::DropSchema]) && !removed.has(&[Kind::DropRole]));
    }
}

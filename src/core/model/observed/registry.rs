//! What schema `tenantry` says, and who may do what in it.

use std::collections::{BTreeMap, BTreeSet};

use super::column::Column;
use super::history::Applied;
use super::schema::DefaultAcl;
use crate::core::digest::digest;
use crate::core::model::acl::Acl;
use crate::core::model::desired::{Access, OnRemove, Origin, PasswordSource};
use crate::core::model::name::TenantKey;
use crate::core::model::rotation::Rotation;
use crate::core::model::secret::SecretFields;
use crate::core::model::vault_access::RegisteredVaultObject;

/// The tool's own tables.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// The version of its form: the number of its own migrations that it has.
    pub version: usize,
    /// The registry's migrations this binary has and the database has not.
    pub pending: usize,
    pub tenants: BTreeMap<TenantKey, Registered>,
    /// The system identifier of the cluster that it was made for, when that is another: it came here with a dump, and nobody
    /// has said yet that it has moved.
    pub came_from: Option<String>,
    /// `None`: of a form that has none yet.
    pub home: Option<Home>,
    /// Owner roles made for several tenants of which none is registered with it: not yet, or no longer. Each is dropped when none
    /// is declared with it.
    pub former_owners: BTreeSet<String>,
    /// What was made in Vault for each tenant, or was about to be.
    pub vault_access: BTreeMap<TenantKey, BTreeSet<RegisteredVaultObject>>,
    /// The sets of migrations of which it is known what they make, by their [`set_digest`].
    pub recorded_sets: BTreeSet<String>,
    /// A file or its source declares tenants, which may not be among `tenants`: what they share is as that file says.
    pub is_of_a_file: bool,
}

impl Registry {
    /// That it has an older form than this version of tenantry reads and writes, and what to type; `None`: it has not.
    #[must_use]
    pub fn is_older(&self) -> Option<(String, &'static str)> {
        let (has, needs) = (self.version, self.version + self.pending);
        let message = format!(
            "tenantry's own tables have version {has}, as an older tenantry left them, and this one needs version {needs}"
        );
        (self.pending > 0)
            .then_some((message, "upgrade them, which changes nothing for any tenant by itself: tenantry apply"))
    }
}

/// What tells the database from a copy of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// Its identity, made at random.
    pub fleet: String,
    /// Those it had until somebody said that the database has moved.
    pub former_fleets: BTreeSet<String>,
    /// Each that wrote secrets, or was about to.
    pub runs: BTreeSet<String>,
    /// The addresses by which the last apply reached it, `host:port`; none: not noted yet.
    pub reached: BTreeSet<String>,
    /// The server is the very one of the last apply, and was not started anew since.
    pub is_same_start: bool,
}

impl Home {
    /// Whether one of these addresses is known. Where none is noted yet nothing is known either way.
    #[must_use]
    pub fn is_reached_by(&self, addresses: &[String]) -> Option<bool> {
        (!self.reached.is_empty()).then(|| addresses.iter().any(|address| self.reached.contains(address)))
    }
}

/// Something that migrations make, as `pg_identify_object` has it, without the schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MadeObject {
    pub kind: String,
    pub name: String,
}

/// Tells one set of applied migrations from another.
#[must_use]
pub fn set_digest(applied: &[Applied]) -> String {
    let mut rows: Vec<String> =
        applied.iter().map(|row| format!("{}\0{}\0{}\n", row.version, row.name, row.checksum)).collect();
    rows.sort();
    digest(&rows.concat())
}

/// The schema `tenantry` as the catalogs have it. Who can write to it decides what tenantry does next.
#[derive(Clone, Debug, Default)]
pub struct RegistrySchema {
    /// The schema, and what tenantry made in it.
    pub objects: Vec<RegistryObject>,
    pub default_acls: Vec<DefaultAcl>,
    /// Acts on tenantry's own tables, and is not tenantry's.
    pub foreign: Vec<Foreign>,
    /// What else lies in the schema: a description, and the owner.
    pub strangers: Vec<(String, String)>,
}

/// The schema `tenantry`, or something that tenantry made in it.
#[derive(Clone, Debug)]
pub struct RegistryObject {
    /// "schema", "table", "sequence" or "function".
    pub kind: String,
    /// Qualified and quoted.
    pub name: String,
    pub owner: String,
    /// With the built-in default where it was never changed.
    pub acl: Acl,
    pub columns: Vec<Column>,
    /// We have the rights of its owner.
    pub ours: bool,
}

/// Something on the registry's tables that tenantry did not make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Such as "trigger t on tenantry.tenants".
    pub what: String,
    /// The statement that takes it away, where one does.
    pub remedy: Option<String>,
    /// Who writes to the table may run somebody else's code by it.
    pub runs: bool,
    /// It keeps rows from whoever reads the table.
    pub hides: bool,
    /// We may run the statement.
    pub ours: bool,
}

/// A row of `tenantry.tenants`: what the last apply left.
#[derive(Clone, Debug)]
pub struct Registered {
    pub schema: String,
    /// Tells the schema from another that somebody made under its name.
    pub schema_oid: Option<u32>,
    pub username: String,
    pub owner: String,
    pub access: Access,
    pub state: State,
    pub on_remove: OnRemove,
    pub protected: bool,
    /// The last apply suspended it.
    pub suspended: bool,
    pub secret: RegisteredSecret,
    pub password_source: PasswordSource,
    /// Two users until they are dropped, whatever is declared by then. Which one is in force says the secret.
    pub rotation: Rotation,
    /// Who declared it when it was last applied to.
    pub declared_by: Origin,
    pub created_at: jiff::Timestamp,
    pub password_changed_at: Option<jiff::Timestamp>,
    /// The role that pg_dump or pg_restore logs in as for this tenant; left over, unless somebody is using it now.
    pub deputy: Option<String>,
    pub deputy_at_work: bool,
    /// The name of its history; `None`: not noted, as in a registry of an older version.
    pub history_table: Option<String>,
    /// Secrets the tenant had at other paths, not deleted yet.
    pub former_secrets: Vec<FormerSecret>,
}

/// Who a tenant is in PostgreSQL: what an archive is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub tenant: TenantKey,
    pub schema: String,
    pub username: String,
    /// The username itself with access "owner".
    pub owner: String,
    pub access: Access,
}

impl Subject {
    /// The roles that own what is in the schema.
    #[must_use]
    pub fn roles(&self) -> Vec<String> {
        if self.owner == self.username {
            vec![self.username.clone()]
        } else {
            vec![self.username.clone(), self.owner.clone()]
        }
    }
}

impl Registered {
    #[must_use]
    pub fn subject(&self, tenant: &TenantKey) -> Subject {
        Subject {
            tenant: tenant.clone(),
            schema: self.schema.clone(),
            username: self.username.clone(),
            owner: self.owner.clone(),
            access: self.access,
        }
    }
}

/// A secret that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormerSecret {
    pub store: String,
    pub place: String,
    pub path: String,
    pub version: String,
}

/// The secret as it was written last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisteredSecret {
    pub store: String,
    /// See [`crate::core::model::SecretsPolicy::place`]; `None`: not noted.
    pub place: Option<String>,
    pub path: String,
    /// `None`: not delivered yet, or deleted.
    pub version: Option<String>,
    pub fields: SecretFields,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Active,
    /// Removed with `on_remove = "retain"`: NOLOGIN, no secret, the schema kept.
    Retained,
    /// Half filled from an archive; nobody can log in yet.
    Restoring,
    /// Being dropped, a part at a time; what was to be archived is.
    Removing,
    /// Dropped; the row stays as a tombstone until the secret is gone too.
    Removed,
}

impl State {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retained => "retained",
            Self::Restoring => "restoring",
            Self::Removing => "removing",
            Self::Removed => "removed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_of_an_older_form_says_which_it_has_and_which_it_needs() {
        let of = |pending| Registry { version: 14, pending, ..Registry::default() }.is_older().map(|(said, _)| said);
        assert_eq!(of(0), None);
        let said = of(2).unwrap();
        assert!(said.contains("have version 14,") && said.ends_with("needs version 16"), "{said}");
    }

    #[test]
    fn a_database_is_at_home_where_one_of_its_addresses_is_known() {
        let home =
            |reached: &[&str]| Home { reached: reached.iter().map(|at| (*at).to_owned()).collect(), ..Home::default() };
        let now = ["a:1".to_owned(), "b:2".to_owned()];
        assert_eq!(home(&[]).is_reached_by(&now), None);
        assert_eq!(home(&["b:2", "c:3"]).is_reached_by(&now), Some(true));
        assert_eq!(home(&["c:3"]).is_reached_by(&now), Some(false));
        assert_eq!(home(&["c:3"]).is_reached_by(&[]), Some(false));
    }

    #[test]
    fn a_set_of_migrations_is_the_same_in_any_order_and_another_with_another_checksum() {
        let row = |version, checksum: &str| Applied { version, name: "n".into(), checksum: checksum.into() };
        let set = [row(1, "x"), row(2, "y")];
        assert_eq!(set_digest(&set), set_digest(&[row(2, "y"), row(1, "x")]));
        assert_ne!(set_digest(&set), set_digest(&[row(1, "x"), row(2, "z")]));
        assert_ne!(set_digest(&set), set_digest(&set[..1]));
    }

    /// Rows of the registry hold them.
    #[test]
    fn states_are_called_the_same_for_ever() {
        let states = [State::Active, State::Retained, State::Restoring, State::Removing, State::Removed];
        assert_eq!(states.map(State::as_str), ["active", "retained", "restoring", "removing", "removed"]);
    }
}

//! What is done to one tenant, and what is known of it.

use secrecy::SecretString;

use super::credentials::{TenantConfig, TenantCredentials};
use super::names::key_of;
use super::{AdminError, DatabaseAdmin, Secrets};
use crate::core::model::secret::{Secret, fault_of_password};
use crate::core::model::{
    Access, Mode, Origin, PasswordPolicy, Rotation, SecretFields, State, Template, Tenant, check_role_name,
    check_schema_name,
};
use crate::core::plan::EndState;
use crate::engine::password;
use crate::tenantry::{Consent, Error, Planned, Tenantry};

/// A tenant, as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantInfo {
    pub schema_name: String,
    pub username: String,
    /// Its key in tenants.toml, were it declared there.
    pub key: String,
    /// "active", "suspended", or what was begun of its removal or restoration.
    pub state: String,
    /// Who declares it: "api" (this module), "file" or "source".
    pub declared_by: String,
    pub created_at: jiff::Timestamp,
    pub password_changed_at: Option<jiff::Timestamp>,
}

/// What a tenant takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantStats {
    pub schema_name: String,
    pub username: String,
    /// On disk, indexes and large objects included.
    pub bytes: i64,
    pub tables: i64,
    /// About how many rows its tables hold, by what PostgreSQL last counted; `None`: nothing was counted yet.
    pub rows: Option<i64>,
    /// Sessions of its user right now.
    pub connections: i64,
    /// The highest version of its migrations; `None`: none was run.
    pub migration: Option<i64>,
}

/// Characters of a generated password.
const LENGTH: usize = 32;

impl DatabaseAdmin {
    /// Creates a schema, a role that logs in, a role that owns the schema, their privileges, and what the migrations create: in
    /// one transaction, so that a failure leaves nothing.
    ///
    /// # Errors
    /// When a name is empty, reserved or taken, the password is none, a right is missing, or a migration fails. A tenant that
    /// exists is not created again, nor given another password: [`Self::rotate`] does that.
    pub fn create_tenant(&self, config: TenantConfig) -> Result<TenantCredentials, AdminError> {
        let tenant = self.tenant(&config)?;
        let failed = format!("Failed to create tenant '{}' with user '{}'", tenant.schema, tenant.username);
        let _turn = self.turn.take();
        let about = self.project()?.about(std::slice::from_ref(&tenant));
        let planned = about.lock().and_then(|locked| locked.create(&tenant, None));
        self.deliver(&about, &tenant, planned.map_err(|error| not_created(&tenant, error))?, &failed)
    }

    /// Creates a tenant as [`Self::create_tenant`] does, with the rows of another one if `with_data`.
    ///
    /// # Errors
    /// As [`Self::create_tenant`]; or when a program did not create `from`, or its structure is not what the migrations give.
    pub fn copy_tenant(&self, from: &str, to: TenantConfig, with_data: bool) -> Result<TenantCredentials, AdminError> {
        let tenant = self.tenant(&to)?;
        let failed = format!("Failed to copy tenant '{from}' to '{}'", tenant.schema);
        let original = self.known(from, &failed)?;
        let _turn = self.turn.take();
        let about = self.project()?.about(&[tenant.clone(), original.clone()]);
        let template = Template { tenant: original.key, data: with_data };
        let planned = about.lock().and_then(|locked| locked.create(&tenant, Some(&template)));
        self.deliver(&about, &tenant, planned.map_err(|error| not_created(&tenant, error))?, &failed)
    }

    /// Drops the schema with all that is in it, and the tenant's roles, in one transaction; deletes its secret, if there is a
    /// store. Its sessions are ended. [`Self::with_archives`]: it is archived first.
    ///
    /// # Errors
    /// When there is no such tenant, the username is not that schema's, tenants.toml declares it, or it cannot be dropped: then
    /// all of it is still there.
    pub fn remove_tenant(&self, schema_name: &str, username: &str) -> Result<(), AdminError> {
        let tenant = self.named(schema_name, username)?;
        let failed = format!("Failed to remove tenant '{schema_name}' with user '{username}'");
        let _turn = self.turn.take();
        let project = self.project()?.without(&tenant);
        let planned = project.lock().and_then(|locked| locked.remove(&tenant, self.on_remove()));
        let planned = planned.map_err(|error| AdminError::of(&failed, error))?;
        let done = planned.carry_out(&[Consent::Removals(1)]).map_err(|error| AdminError::of(&failed, error))?;
        done.map(drop).map_err(|error| AdminError::of_tenant(&failed, error))
    }

    /// Gives the tenant a new password: this one, or a generated one if it is empty. The former opens nothing more; sessions that
    /// are open stay.
    ///
    /// # Errors
    /// As [`Self::remove_tenant`].
    pub fn rotate(&self, schema_name: &str, username: &str, password: &str) -> Result<TenantCredentials, AdminError> {
        let (schema_name, username) = (schema_name.to_owned(), username.to_owned());
        let failed = format!("Failed to change the password of user '{username}'");
        let tenant = self.tenant(&TenantConfig { schema_name, username, password: password.to_owned() })?;
        if !password.is_empty() && !matches!(self.secrets, Secrets::Returned) {
            return Err(AdminError::invalid(format!("{failed}: with a secret store a new password is generated")));
        }
        let _turn = self.turn.take();
        let about = self.project()?.about(std::slice::from_ref(&tenant));
        let planned = about.lock().and_then(|locked| locked.renew(&tenant));
        self.deliver(&about, &tenant, planned.map_err(|error| AdminError::of(&failed, error))?, &failed)
    }

    /// Every tenant of the database, whoever declared it, by schema name; without those that are gone.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn list_tenants(&self) -> Result<Vec<TenantInfo>, AdminError> {
        let observed = self.looking()?.registered().map_err(|error| AdminError::of("Failed to list tenants", error))?;
        let rows = observed.registry.into_iter().flat_map(|registry| registry.tenants);
        let mut tenants: Vec<TenantInfo> = rows
            .filter(|(_, row)| row.state != State::Removed)
            .map(|(key, row)| TenantInfo {
                key: key.to_string(),
                state: if row.suspended { "suspended" } else { row.state.as_str() }.to_owned(),
                declared_by: row.declared_by.as_str().to_owned(),
                schema_name: row.schema,
                username: row.username,
                created_at: row.created_at,
                password_changed_at: row.password_changed_at,
            })
            .collect();
        tenants.sort_by(|a, b| a.schema_name.cmp(&b.schema_name));
        Ok(tenants)
    }

    /// What the tenant with this schema takes, whoever declared it.
    ///
    /// # Errors
    /// When there is none.
    pub fn stats(&self, schema_name: &str) -> Result<TenantStats, AdminError> {
        let failed = format!("Failed to look at tenant '{schema_name}'");
        let tenant = self.known(schema_name, &failed)?;
        let measured = self.looking()?.about(std::slice::from_ref(&tenant)).measured(&tenant);
        let measured = measured.map_err(|error| AdminError::of(&failed, error))?;
        Ok(TenantStats {
            schema_name: tenant.schema,
            username: tenant.username,
            bytes: measured.bytes,
            tables: measured.tables,
            rows: measured.rows,
            connections: measured.connections,
            migration: measured.migration,
        })
    }

    /// The tenant as it is to be, with its password where none keeps it.
    fn tenant(&self, config: &TenantConfig) -> Result<Tenant, AdminError> {
        let TenantConfig { schema_name, username, password } = config;
        let mut tenant = self.named(schema_name, username)?;
        tenant.password = match password.as_str() {
            "" if matches!(self.secrets, Secrets::Returned) => {
                Some(password::generate(PasswordPolicy { length: LENGTH, charset: self.charset }))
            }
            "" => None,
            given => {
                if let Some(fault) = fault_of_password(given) {
                    return Err(AdminError::invalid(format!("Password {fault}")));
                }
                Some(SecretString::from(given))
            }
        };
        Ok(tenant)
    }

    fn named(&self, schema: &str, username: &str) -> Result<Tenant, AdminError> {
        if schema.is_empty() {
            return Err(AdminError::invalid("Schema name cannot be empty"));
        }
        if username.is_empty() {
            return Err(AdminError::invalid("Username cannot be empty"));
        }
        let wrong = |what: &str, name: &str, error| AdminError::invalid(format!("{what} {name:?} {error}"));
        check_schema_name(schema).map_err(|error| wrong("Schema name", schema, error))?;
        check_role_name(username).map_err(|error| wrong("Username", username, error))?;
        let key = key_of(schema).map_err(|error| wrong("Schema name", schema, error))?;
        let owner_role = format!("{key}_owner");
        if owner_role == username {
            return Err(AdminError::invalid(format!(
                "Username {username:?} is that of the role that will own the schema"
            )));
        }
        Ok(Tenant {
            schema: schema.to_owned(),
            username: username.to_owned(),
            owner_role,
            access: Access::Full,
            connection_limit: -1,
            settings: Default::default(),
            mode: Mode::default(),
            on_remove: self.on_remove(),
            protected: false,
            password: None,
            secret_path: format!("tenants/{key}"),
            rotation: Rotation::Single,
            rotate_after: None,
            strict_shape: false,
            class: None,
            suspended: false,
            origin: Origin::Api,
            template: None,
            key,
        })
    }

    /// The tenant that has this schema, as the registry has it.
    fn known(&self, schema: &str, failed: &str) -> Result<Tenant, AdminError> {
        let wanted = self.named(schema, "postgres")?;
        let observed = self
            .looking()?
            .about(std::slice::from_ref(&wanted))
            .registered()
            .map_err(|error| AdminError::of(failed, error))?;
        let mut rows = observed.registry.into_iter().flat_map(|registry| registry.tenants);
        let found = rows.find(|(_, row)| row.schema == schema && row.state == State::Active);
        let (key, row) =
            found.ok_or_else(|| AdminError::missing(format!("{failed}: there is no tenant with schema {schema:?}")))?;
        Ok(Tenant {
            key,
            username: row.username,
            owner_role: row.owner,
            access: row.access,
            secret_path: row.secret.path,
            rotation: row.rotation,
            origin: row.declared_by,
            ..wanted
        })
    }

    /// Carries the plan out, and says what opens the database then.
    fn deliver(
        &self,
        about: &Tenantry,
        tenant: &Tenant,
        planned: Planned,
        failed: &str,
    ) -> Result<TenantCredentials, AdminError> {
        let fields = fields(&planned, tenant);
        let done = planned.carry_out(&[]).map_err(|error| AdminError::of(failed, error))?;
        done.map_err(|error| AdminError::of_tenant(failed, error))?;
        match (&self.secrets, &tenant.password, fields) {
            (Secrets::Returned, Some(password), Some(fields)) => {
                Ok(TenantCredentials::of(&Secret::new(tenant.key.as_str(), fields, password.clone())))
            }
            _ => {
                let secret = about.secret_of(tenant).map_err(|error| AdminError::of(failed, error))?;
                Ok(TenantCredentials::of(&secret))
            }
        }
    }
}

fn fields(planned: &Planned, tenant: &Tenant) -> Option<SecretFields> {
    let plan = planned.plan().tenants.iter().find(|plan| plan.tenant == tenant.key)?;
    match &plan.target {
        EndState::Declared { fields, .. } | EndState::Rotated { fields, .. } => Some(fields.clone()),
        EndState::None | EndState::Removed { .. } | EndState::Retained { .. } => None,
    }
}

/// What of it failed, as far as that is known.
fn not_created(tenant: &Tenant, error: Error) -> AdminError {
    use crate::tenantry::{Clash, Guard};
    let failed = match error.guard() {
        Some(Guard::OneTenant(Clash::User)) => format!("Failed to create user '{}'", tenant.username),
        Some(Guard::OneTenant(Clash::Schema)) => format!("Failed to create schema '{}'", tenant.schema),
        _ => format!("Failed to create tenant '{}' with user '{}'", tenant.schema, tenant.username),
    };
    AdminError::of(&failed, error)
}

//! Tenants created and removed one by one. Each answer is what a dataclass of tenantry/_admin.py is made of.

use std::path::PathBuf;

use pyo3::prelude::*;
use tenantry::Interrupt;
use tenantry::admin::{
    AdminError, Advertise, DatabaseAdmin, Secrets, SslMode, TenantConfig, TenantCredentials, TenantInfo, TenantStats,
};

use crate::raised::{self, Words};
use crate::running::{Ended, Phase, run, seconds};
use crate::variables::Variables;

#[pyclass(frozen, module = "tenantry._tenantry")]
pub struct Admin(DatabaseAdmin);

/// Username, password, schema, url.
type Credentials = (String, String, String, String);

/// Host, port, sslmode.
type Place = (Option<String>, Option<i64>, Option<String>);

/// What came of a change, unless it failed; and what a signal's handler raised meanwhile.
type Done<T> = (Option<T>, Option<Py<PyAny>>);

#[pymethods]
impl Admin {
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        url: &str,
        migrations: Option<PathBuf>,
        secrets: Option<PathBuf>,
        vault: bool,
        archives: Option<PathBuf>,
        advertise: Place,
        symbols: bool,
        patience: f64,
        environment: Variables,
    ) -> PyResult<Self> {
        let made = DatabaseAdmin::new(url).map_err(|error| of_admin(py, &error))?;
        let mut admin = made.with_environment(environment.read()).with_patience(seconds(patience)?);
        if let Some(dir) = migrations {
            admin = admin.with_migrations(dir);
        }
        admin = match (secrets, vault) {
            (Some(dir), _) => admin.with_secrets(Secrets::Files(dir)),
            (None, true) => admin.with_secrets(Secrets::Vault(Box::default())),
            (None, false) => admin,
        };
        if let Some(dir) = archives {
            admin = admin.with_archives(dir);
        }
        let (host, port, sslmode) = advertise;
        // 0 is no port either, and is refused.
        let port = port.map(|port| u16::try_from(port).unwrap_or_default());
        let sslmode = sslmode.map(|mode| mode.parse::<SslMode>().map_err(|()| no_sslmode(py, &mode))).transpose()?;
        admin = admin.with_advertise(Advertise { host, port, sslmode }).map_err(|error| of_admin(py, &error))?;
        if !symbols {
            admin = admin.with_alphanumeric_passwords();
        }
        Ok(Self(admin))
    }

    fn create_tenant(
        &self,
        py: Python<'_>,
        schema_name: String,
        username: String,
        password: String,
    ) -> PyResult<Done<Credentials>> {
        let config = TenantConfig { schema_name, username, password };
        self.change(py, move |admin| admin.create_tenant(config).map(told))
    }

    fn copy_tenant(
        &self,
        py: Python<'_>,
        original: String,
        schema_name: String,
        username: String,
        password: String,
        with_data: bool,
    ) -> PyResult<Done<Credentials>> {
        let config = TenantConfig { schema_name, username, password };
        self.change(py, move |admin| admin.copy_tenant(&original, config, with_data).map(told))
    }

    fn remove_tenant(&self, py: Python<'_>, schema_name: String, username: String) -> PyResult<Done<()>> {
        self.change(py, move |admin| admin.remove_tenant(&schema_name, &username))
    }

    fn rotate(
        &self,
        py: Python<'_>,
        schema_name: String,
        username: String,
        password: String,
    ) -> PyResult<Done<Credentials>> {
        self.change(py, move |admin| admin.rotate(&schema_name, &username, &password).map(told))
    }

    fn list_tenants(&self, py: Python<'_>) -> PyResult<Vec<Info>> {
        self.look(py, |admin| Ok(admin.list_tenants()?.into_iter().map(Info::from).collect()))
    }

    fn stats(&self, py: Python<'_>, schema_name: String) -> PyResult<Stats> {
        self.look(py, move |admin| admin.stats(&schema_name).map(Stats::from))
    }
}

impl Admin {
    fn look<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&DatabaseAdmin) -> Result<T, AdminError> + Send + 'static,
    ) -> PyResult<T> {
        match self.run(py, &Phase::default(), work)? {
            Ended { interrupted: Some(interrupted), .. } => Err(interrupted),
            Ended { result, .. } => result.map_err(|error| of_admin(py, &error)),
        }
    }

    /// An interrupt waits for what is under way, because nobody could tell afterwards whether it was done.
    fn change<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&DatabaseAdmin) -> Result<T, AdminError> + Send + 'static,
    ) -> PyResult<Done<T>> {
        let Ended { result, interrupted } = self.run(py, &Phase::writing(), work)?;
        match (result, interrupted) {
            (Ok(done), interrupted) => Ok((Some(done), interrupted.map(|raised| raised.into_value(py).into_any()))),
            (Err(error), None) => Err(of_admin(py, &error)),
            (Err(error), Some(interrupted)) => {
                interrupted.set_cause(py, Some(of_admin(py, &error)));
                Ok((None, Some(interrupted.into_value(py).into_any())))
            }
        }
    }

    fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        phase: &Phase,
        work: impl FnOnce(&DatabaseAdmin) -> Result<T, AdminError> + Send + 'static,
    ) -> PyResult<Ended<T, AdminError>> {
        // One that was stopped stays stopped.
        let interrupt = Interrupt::default();
        let admin = self.0.clone().with_interrupt(interrupt.clone());
        run(py, &interrupt, phase, move |_| work(&admin))
    }
}

#[derive(IntoPyObject)]
pub struct Info {
    schema_name: String,
    username: String,
    key: String,
    state: String,
    declared_by: String,
    /// In seconds since 1970.
    created_at: f64,
    password_changed_at: Option<f64>,
}

impl From<TenantInfo> for Info {
    fn from(info: TenantInfo) -> Self {
        Self {
            schema_name: info.schema_name,
            username: info.username,
            key: info.key,
            state: info.state,
            declared_by: info.declared_by,
            created_at: info.created_at.as_microsecond() as f64 / 1e6,
            password_changed_at: info.password_changed_at.map(|at| at.as_microsecond() as f64 / 1e6),
        }
    }
}

#[derive(IntoPyObject)]
pub struct Stats {
    schema_name: String,
    username: String,
    bytes: i64,
    tables: i64,
    rows: Option<i64>,
    connections: i64,
    migration: Option<i64>,
}

impl From<TenantStats> for Stats {
    fn from(stats: TenantStats) -> Self {
        Self {
            schema_name: stats.schema_name,
            username: stats.username,
            bytes: stats.bytes,
            tables: stats.tables,
            rows: stats.rows,
            connections: stats.connections,
            migration: stats.migration,
        }
    }
}

/// Of a tenant's connection string.
#[pyfunction]
pub fn masked_url(connection_string: String) -> String {
    opened_with(connection_string).masked_connection_string()
}

/// Of a tenant's connection string.
#[pyfunction]
pub fn jdbc_url(connection_string: String) -> Option<String> {
    opened_with(connection_string).jdbc_url()
}

fn opened_with(connection_string: String) -> TenantCredentials {
    let [username, password, schema_name] = [const { String::new() }; 3];
    TenantCredentials { username, password, schema_name, connection_string }
}

fn told(credentials: TenantCredentials) -> Credentials {
    let TenantCredentials { username, password, schema_name, connection_string } = credentials;
    (username, password, schema_name, connection_string)
}

fn no_sslmode(py: Python<'_>, mode: &str) -> PyErr {
    let message = format!("advertise.sslmode {mode:?} is not {}", SslMode::EXPECTED);
    raised::raised(py, "InvalidConfigError", Words { message, hint: None, sqlstate: None }, None)
}

fn of_admin(py: Python<'_>, error: &AdminError) -> PyErr {
    let class = match error {
        AdminError::Database(_) => "DatabaseError",
        AdminError::Pool(_) => "PoolError",
        AdminError::SqlExecution { .. } => "SqlExecutionError",
        AdminError::InvalidConfig { .. } => "InvalidConfigError",
    };
    let words = Words {
        message: error.message().to_owned(),
        hint: error.hint().map(str::to_owned),
        sqlstate: error.sqlstate().map(str::to_owned),
    };
    raised::raised(py, class, words, None)
}

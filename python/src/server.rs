//! A throw-away PostgreSQL, for tests.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use tenantry::sandbox;

use crate::raised;

/// Runs until it is stopped, or this process ends, however it ends; then its files are deleted.
#[pyclass(frozen, module = "tenantry._tenantry")]
pub struct Server {
    server: Mutex<Option<sandbox::Server>>,
    /// Of the superuser, with the password.
    #[pyo3(get)]
    url: String,
    /// Ours alone to write to, and deleted with the server.
    #[pyo3(get)]
    directory: PathBuf,
}

#[pymethods]
impl Server {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let server = py.detach(|| sandbox::Server::builder().start());
        let server = server.map_err(|error| raised::of_sandbox(py, &error))?;
        let (url, directory) = (server.admin_url(), server.dir().to_owned());
        Ok(Self { server: Mutex::new(Some(server)), url, directory })
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| drop(self.server.lock().unwrap_or_else(PoisonError::into_inner).take()));
    }
}

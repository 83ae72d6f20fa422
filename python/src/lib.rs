//! What Python imports as `tenantry._tenantry`: the library's façade, each call of which answers with the JSON that the command
//! prints. Words, types and exceptions for people are in tenantry/*.py.

mod admin;
mod project;
mod raised;
mod running;
mod server;
mod variables;

use pyo3::prelude::*;

#[pymodule]
mod _tenantry {
    #[pymodule_export]
    use crate::admin::Admin;
    #[pymodule_export]
    use crate::admin::{jdbc_url, masked_url};
    #[pymodule_export]
    use crate::project::Project;
    #[pymodule_export]
    use crate::server::Server;

    /// The version of the library.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

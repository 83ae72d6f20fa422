//! The library's errors as exceptions of tenantry/_errors.py.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use tenantry::config::ConfigError;
use tenantry::plan::FleetKey;
use tenantry::sandbox::SandboxError;
use tenantry::{Consent, Error, NeedsConsent, RunError};

/// An exception of this class. Of keyword arguments it takes what its class adds to a message, a hint and a SQLSTATE.
pub fn raised(py: Python<'_>, class: &str, words: Words, more: Option<Bound<'_, PyDict>>) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let class = py.import("tenantry._errors")?.getattr(class)?;
        let keywords = more.unwrap_or_else(|| PyDict::new(py));
        keywords.set_item("hint", words.hint)?;
        keywords.set_item("sqlstate", words.sqlstate)?;
        let exception = class.call(PyTuple::new(py, [words.message])?, Some(&keywords))?;
        Ok(PyErr::from_value(exception))
    };
    build().unwrap_or_else(|error| error)
}

#[derive(Default)]
pub struct Words {
    pub message: String,
    pub hint: Option<String>,
    pub sqlstate: Option<String>,
}

impl Words {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()), sqlstate: None }
    }
}

pub fn of_library(py: Python<'_>, error: &Error) -> PyErr {
    let words =
        Words { message: error.in_one_line(), hint: error.hint(), sqlstate: error.sqlstate().map(str::to_owned) };
    let keywords = PyDict::new(py);
    let (class, words) = match error {
        Error::Consent(needs) => {
            let words = Words { hint: Some(hint_of(needs)), ..words };
            match consents(py, needs).and_then(|consents| keywords.set_item("consents", consents)) {
                Ok(()) => ("ConsentRequired", words),
                Err(error) => return error,
            }
        }
        Error::Run(RunError::Config(config)) => {
            let words = Words { message: config.to_string(), ..words };
            match faults(py, config).and_then(|faults| keywords.set_item("faults", faults)) {
                Ok(()) => ("ConfigError", words),
                Err(error) => return error,
            }
        }
        Error::Run(RunError::Migrations(_)) => ("ConfigError", words),
        Error::Refused(_) => ("Refused", words),
        Error::Run(_) => ("RunError", words),
    };
    raised(py, class, words, Some(keywords))
}

pub fn of_sandbox(py: Python<'_>, error: &SandboxError) -> PyErr {
    let words = Words { message: error.to_string(), hint: error.hint().map(str::to_owned), sqlstate: None };
    raised(py, "RunError", words, None)
}

/// What `apply` would have to be called with.
fn consents<'py>(py: Python<'py>, needs: &NeedsConsent) -> PyResult<Bound<'py, PyDict>> {
    let keywords = PyDict::new(py);
    let keys: Vec<&str> = needs.consents.iter().filter_map(fleet_key).map(FleetKey::as_str).collect();
    if !keys.is_empty() {
        keywords.set_item("allow_fleet_change", keys)?;
    }
    for consent in &needs.consents {
        match consent {
            Consent::Removals(tenants) => keywords.set_item("allow_removals", tenants)?,
            Consent::NewSecrets(tenants) => keywords.set_item("allow_new_secrets", tenants)?,
            Consent::RenameHistory => keywords.set_item("rename_history", true)?,
            Consent::Moved => keywords.set_item("moved", true)?,
            // Nothing that is done from Python needs another.
            _ => {}
        }
    }
    Ok(keywords)
}

fn hint_of(needs: &NeedsConsent) -> String {
    let keys: Vec<&str> = needs.consents.iter().filter_map(fleet_key).map(FleetKey::as_str).collect();
    let mut arguments: Vec<String> = needs.consents.iter().filter_map(argument).collect();
    if !keys.is_empty() {
        arguments.push(format!("allow_fleet_change={keys:?}"));
    }
    let call = format!("apply({})", arguments.join(", "));
    match needs.consents.as_slice() {
        [Consent::NewSecrets(_)] => format!(
            "check whether that is the right store: its address, namespace, mount and path; if the secrets are lost: {call}"
        ),
        _ if keys.is_empty() => format!("if that is intended: {call}"),
        _ => format!("if it is a typing error, put {} back as it was; if it is meant: {call}", keys.join(", ")),
    }
}

fn argument(consent: &Consent) -> Option<String> {
    match consent {
        Consent::Removals(tenants) => Some(format!("allow_removals={tenants}")),
        Consent::NewSecrets(tenants) => Some(format!("allow_new_secrets={tenants}")),
        Consent::RenameHistory => Some("rename_history=True".to_owned()),
        Consent::Moved => Some("moved=True".to_owned()),
        _ => None,
    }
}

fn fleet_key(consent: &Consent) -> Option<FleetKey> {
    match consent {
        Consent::FleetChange(key) => Some(*key),
        _ => None,
    }
}

/// Each with its place.
fn faults<'py>(py: Python<'py>, error: &ConfigError) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let mut all = Vec::new();
    for file in error.files() {
        for fault in &file.faults {
            let (line, column) = fault.span.as_ref().map(|span| file.line_column(span.start)).unzip();
            let place = PyDict::new(py);
            place.set_item("file", &file.path)?;
            place.set_item("line", line)?;
            place.set_item("column", column)?;
            place.set_item("message", &fault.message)?;
            place.set_item("hint", &fault.hint)?;
            all.push(place);
        }
    }
    Ok(all)
}

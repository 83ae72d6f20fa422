//! The environment that Python hands over, as bytes: names and values need not be UTF-8.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use pyo3::prelude::*;
use tenantry::Environment;

#[derive(FromPyObject)]
#[pyo3(transparent)]
pub struct Variables(Vec<(Vec<u8>, Vec<u8>)>);

impl Variables {
    pub fn read(self) -> Environment {
        let text = |(name, value)| (OsString::from_vec(name), OsString::from_vec(value));
        self.0.into_iter().map(text).collect()
    }
}

//! Places where a test may cut a run off, as a crash would: `FAILPOINTS="after_commit=2*off->return"`.
//!
//! Actions are those of the crate `fail`; "return" ends the process on the spot, without unwinding, as SIGKILL does. Without the
//! feature `failpoints`, which is for tests, none of it is compiled.

macro_rules! fail_point {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        crate::engine::failpoint::reached($name);
    };
}

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("the feature failpoints is for tests: a release must not end itself");

/// Reads FAILPOINTS, for as long as what is returned lives.
#[cfg(feature = "failpoints")]
pub fn set_up() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}

#[cfg(feature = "failpoints")]
pub(crate) fn reached(name: &str) {
    fail::fail_point!(name, |_| std::process::abort());
}

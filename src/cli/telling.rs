//! Carrying an approved plan out, and telling of it while it runs.

use std::sync::{Mutex, OnceLock, PoisonError};

use tenantry::plan::Plan;
use tenantry::report::{Report, TenantOutcome};
use tenantry::{Approved, Events};

use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::progress::{Progress, aside};

/// Prints what came of it.
pub type Tell<'t> = &'t (dyn Fn(&Plan, &Report, &mut Output) -> Result<Exit, Failure> + Sync);

struct Telling<'t> {
    quiet: bool,
    out: Mutex<&'t mut Output>,
    progress: OnceLock<Progress>,
    tell: Tell<'t>,
    told: Mutex<Option<Result<Exit, Failure>>>,
}

/// The report is printed as soon as it is there: what the registry is told after it may take a while.
pub fn carry_out(approved: Approved, tell: Tell<'_>, out: &mut Output) -> Result<Exit, Failure> {
    let telling =
        Telling { quiet: out.quiet, out: Mutex::new(out), progress: OnceLock::new(), tell, told: Mutex::new(None) };
    let result = approved.apply(&telling);
    telling.finish();
    result?;
    telling.told.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or(Ok(Exit::Ok))
}

impl Telling<'_> {
    fn finish(&self) {
        if let Some(progress) = self.progress.get() {
            progress.finish();
        }
    }
}

impl Events for Telling<'_> {
    fn begins(&self, tenants: usize) {
        let out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        self.progress.get_or_init(|| Progress::new("apply", tenants, &out));
    }

    fn says(&self, tenant: &str, words: &str) {
        match self.progress.get() {
            Some(progress) => progress.says(tenant, words),
            // Before the tenants' turn come the data of one that is restored.
            None => aside("restore", self.quiet)(tenant, words),
        }
    }

    fn tenant_ended(&self, outcome: &TenantOutcome) {
        if let Some(progress) = self.progress.get() {
            progress.tenant_ended(outcome);
        }
    }

    fn ended(&self, plan: &Plan, report: &Report) {
        self.finish();
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let told = (self.tell)(plan, report, &mut out);
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    fn note(&self, words: &str) {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).note(words);
    }
}

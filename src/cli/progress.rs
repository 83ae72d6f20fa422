//! Progress on stderr: a bar with count, rate and time left on a terminal, plain lines elsewhere.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;
use tenantry::render::escape::visible;
use tenantry::report::{Outcome, TenantOutcome};

/// A line for every so many tenants when there is no terminal; ten lines for a large fleet.
const PLAIN_LINES: usize = 10;

pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    verb: &'static str,
    total: usize,
    done: AtomicUsize,
    failed: AtomicUsize,
}

impl Progress {
    pub fn new(verb: &'static str, total: usize, out: &Output) -> Self {
        let bar = out.progress_is_wanted().then(|| {
            let bar = ProgressBar::new(total as u64);
            let template = "{prefix} {wide_bar} {pos}/{len}  {per_sec}  {eta} left{msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_prefix(verb);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, quiet: out.quiet, verb, total, done: AtomicUsize::new(0), failed: AtomicUsize::new(0) }
    }

    /// A bar and no words, of a command that tells afterwards who failed.
    pub fn wordless(verb: &'static str, total: usize, out: &Output) -> Self {
        Self { quiet: true, ..Self::new(verb, total, out) }
    }

    pub fn tenant_ended(&self, outcome: &TenantOutcome) {
        // After an interrupt the rest of the fleet would be a screenful; the report counts them.
        if outcome.outcome == Outcome::Skipped {
            return;
        }
        let error = outcome.error.as_ref().map(|error| error.message.as_str());
        self.one_more(
            outcome.tenant.as_str(),
            (outcome.outcome != Outcome::Applied).then_some(error.unwrap_or("failed")),
        );
    }

    /// One more is done; with what went wrong, if it did.
    pub fn one_more(&self, tenant: &str, wrong: Option<&str>) {
        let done = 1 + self.done.fetch_add(1, Ordering::Relaxed);
        let failed =
            self.failed.fetch_add(usize::from(wrong.is_some()), Ordering::Relaxed) + usize::from(wrong.is_some());
        if let Some(bar) = &self.bar {
            bar.inc(1);
            if failed > 0 {
                bar.set_message(format!("  {failed} failed"));
            }
        }
        if self.quiet {
            return;
        }
        if let Some(wrong) = wrong {
            self.says(tenant, wrong);
        }
        let every = self.total.div_ceil(PLAIN_LINES).max(1);
        if self.bar.is_none() && (done.is_multiple_of(every) || done == self.total) {
            let _ = writeln!(anstream::stderr(), "{}: {done} of {} tenants, {failed} failed", self.verb, self.total);
        }
    }

    /// A line about a tenant, above the bar.
    pub fn says(&self, tenant: &str, words: &str) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.println(line(self.verb, tenant, words)),
            None => drop(writeln!(anstream::stderr(), "{}", line(self.verb, tenant, words))),
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The same lines of a command that shows no progress.
pub fn aside(verb: &'static str, quiet: bool) -> impl Fn(&str, &str) + Sync {
    move |tenant, words| {
        if !quiet {
            drop(writeln!(anstream::stderr(), "{}", line(verb, tenant, words)));
        }
    }
}

fn line(verb: &str, tenant: &str, words: &str) -> String {
    format!("{verb} {tenant}: {}", visible(words))
}

//! Those of many tenants, several at once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use super::child;
use super::ended::{Ended, Ran};
use crate::core::model::{Tenant, TenantKey};
use crate::core::rows::Fault;
use crate::engine::login::Closed;
use crate::engine::workers::{each_of, lock};

/// Who hears what the programs say: whose line it is, whether it was on stderr, and the line.
pub type Lines<'a> = &'a (dyn Fn(&TenantKey, bool, &str) + Sync);

/// What running a program as many tenants needs.
pub struct Exec<'a> {
    pub arguments: &'a [OsString],
    /// The program as a tenant, without its arguments.
    pub command: &'a (dyn Fn(&Tenant) -> Result<Command, Closed> + Sync),
    pub parallelism: usize,
    /// Start no more once so many have ended alike, and not well; 0: go on whatever fails.
    pub max_failures: usize,
    /// How often somebody wanted it to end: nothing more is started, and what runs is told, each time more firmly.
    pub pressed: &'a (dyn Fn() -> usize + Sync),
    pub line: Lines<'a>,
    pub each: &'a (dyn Fn(&Ran) + Sync),
}

impl Exec<'_> {
    /// What became of each, in this order.
    #[must_use]
    pub fn run(&self, tenants: &[&Tenant]) -> Vec<Ran> {
        let failures: Mutex<BTreeMap<String, usize>> = Mutex::default();
        each_of(tenants, self.parallelism, None, |tenant| {
            let begun = Instant::now();
            let ended = match self.why_not(&failures) {
                Some(why) => Ended::Skipped(why),
                None => self.one(tenant),
            };
            let ran = Ran { tenant: tenant.key.clone(), ended, took: begun.elapsed() };
            if ran.failed() {
                *lock(&failures).entry(format!("{:?}", ran.ended)).or_default() += 1;
            }
            (self.each)(&ran);
            ran
        })
    }

    fn why_not(&self, failures: &Mutex<BTreeMap<String, usize>>) -> Option<String> {
        if (self.pressed)() > 0 {
            return Some("interrupted".into());
        }
        let most = lock(failures).values().max().copied().unwrap_or_default();
        (self.max_failures > 0 && most >= self.max_failures).then(|| format!("{most} failed alike (--max-failures)"))
    }

    fn one(&self, tenant: &Tenant) -> Ended {
        let mut command = match (self.command)(tenant) {
            Ok(command) => command,
            Err(Closed::Out(why)) => return Ended::Skipped(why),
            Err(Closed::Failed(fault)) => return Ended::Failed(fault),
        };
        command.args(self.arguments);
        let program = command.get_program().to_owned();
        match child::run(&mut command, self.pressed, &|stderr, line| (self.line)(&tenant.key, stderr, line)) {
            Ok(ended) => ended,
            Err(error) => Ended::Failed(not_run(&program, &error)),
        }
    }
}

fn not_run(program: &OsStr, error: &std::io::Error) -> Fault {
    let message = format!("running {}: {error}", program.to_string_lossy());
    Fault { message, sqlstate: None, hint: None }
}

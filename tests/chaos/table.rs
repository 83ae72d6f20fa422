//! What came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::disturbance::Disturbance;

/// What one round came to.
pub struct Outcome {
    /// The tool was still at work.
    pub hit: bool,
    /// Tenants that the disturbed apply called failed, and unknown.
    pub failed: u64,
    pub unknown: u64,
    pub tenants: usize,
    /// Of the one apply more.
    pub converged: Duration,
}

#[derive(Default)]
pub struct Table(BTreeMap<Disturbance, Vec<Outcome>>);

impl Table {
    pub fn add(&mut self, disturbance: Disturbance, outcome: Outcome) {
        self.0.entry(disturbance).or_default().push(outcome);
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, outcomes: &[&Outcome]) -> fmt::Result {
    let sum = |of: &dyn Fn(&Outcome) -> u64| outcomes.iter().map(|outcome| of(outcome)).sum::<u64>();
    let mut times: Vec<_> = outcomes.iter().map(|outcome| outcome.converged.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    writeln!(
        f,
        "| {name:31} | {:6} | {:6} | {:7} | {:6} | {:7} | {median:6.2} | {most:5.2} |",
        outcomes.len(),
        sum(&|outcome| outcome.hit.into()),
        sum(&|outcome| outcome.tenants as u64),
        sum(&|outcome| outcome.failed),
        sum(&|outcome| outcome.unknown),
    )
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| disturbance                     | rounds | hit    | tenants | failed | unknown | median | max   |"
        )?;
        writeln!(
            f,
            "|---------------------------------|-------:|-------:|--------:|-------:|--------:|-------:|------:|"
        )?;
        for (disturbance, outcomes) in &self.0 {
            line(f, &disturbance.to_string(), &outcomes.iter().collect::<Vec<_>>())?;
        }
        let all: Vec<_> = self.0.values().flatten().collect();
        if all.is_empty() { Ok(()) } else { line(f, "all", &all) }
    }
}

//! `drift --metrics`: the Prometheus text exposition format, version 0.0.4.

use std::fmt::Write;

use crate::core::plan::{Plan, TenantPlan, Verb};

/// What a run knows beside its plan. The core has no clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// Seconds since the Unix epoch, when it ended.
    pub ended_at: f64,
    pub duration_seconds: f64,
    /// `None`: no tenant has a password yet.
    pub oldest_password_age_seconds: Option<i64>,
    /// Tenants whose password is older than their `rotate_after`.
    pub passwords_due: usize,
}

/// The metrics of one run, each with its HELP and TYPE.
#[must_use]
pub fn text(plan: &Plan, run: &Run) -> String {
    let mut text = String::new();
    let mut family = |name: &str, help: &str, samples: Vec<(String, f64)>| {
        let _ = writeln!(text, "# HELP tenantry_{name} {help}\n# TYPE tenantry_{name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "tenantry_{name}{labels} {value}");
        }
    };
    let one = |value: f64| vec![(String::new(), value)];
    #[expect(clippy::cast_precision_loss, reason = "counts of tenants and seconds stay far below 2^52")]
    let float = |n: i64| n as f64;
    let count = |n: usize| float(i64::try_from(n).unwrap_or(i64::MAX));
    let verbs = Verb::ALL.iter().map(|verb| (format!("{{verb=\"{}\"}}", verb.as_str()), count(plan.count(*verb))));
    family("tenants", "Tenants by what a plan would do with them.", verbs.collect());
    family("drift", "1 when observed differs from desired, else 0.", one(if plan.in_sync() { 0.0 } else { 1.0 }));
    let left_out = plan.targeting.map(|part| (String::new(), count(part.of - part.looked_at)));
    let help = "Tenants that --target left out of the last run: the other metrics do not cover them. Absent when none were left out.";
    family("tenants_not_looked_at", help, left_out.into_iter().collect());
    family("last_run_timestamp_seconds", "When the last run that finished ended, as Unix time.", one(run.ended_at));
    family("run_duration_seconds", "How long the last run took.", one(run.duration_seconds));
    let pending: usize = plan.tenants.iter().map(|tenant: &TenantPlan| tenant.pending_migrations().len()).sum();
    family("pending_migrations", "Migrations not yet applied, over all tenants.", one(count(pending)));
    let oldest = run.oldest_password_age_seconds.map(|age| (String::new(), float(age)));
    family("oldest_password_age_seconds", "Age of the oldest password of a tenant.", oldest.into_iter().collect());
    let help = "Tenants whose password is older than their rotate_after.";
    family("passwords_due", help, one(count(run.passwords_due)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::plan::Targeting;

    #[test]
    fn a_run_over_a_part_says_how_many_it_left_out() {
        let run = Run { ended_at: 1.0, duration_seconds: 0.25, oldest_password_age_seconds: None, passwords_due: 0 };
        let plan = Plan { targeting: Some(Targeting { looked_at: 1, of: 500 }), ..Plan::default() };
        assert!(
            text(&plan, &run)
                .contains("# TYPE tenantry_tenants_not_looked_at gauge\ntenantry_tenants_not_looked_at 499\n")
        );
    }

    #[test]
    fn every_metric_is_there_and_an_unknown_age_has_no_sample() {
        let run = Run {
            ended_at: 1_795_262_400.5,
            duration_seconds: 0.25,
            oldest_password_age_seconds: None,
            passwords_due: 0,
        };
        let text = text(&Plan::default(), &run);
        assert!(text.contains("tenantry_tenants{verb=\"unchanged\"} 0\n"), "{text}");
        assert!(
            text.contains("tenantry_drift 0\n") && text.contains("tenantry_last_run_timestamp_seconds 1795262400.5\n")
        );
        assert!(!text.contains("\ntenantry_tenants_not_looked_at"), "{text}");
        assert!(
            text.contains("# TYPE tenantry_oldest_password_age_seconds gauge\n") && !text.contains("age_seconds 0")
        );
    }
}

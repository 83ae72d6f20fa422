//! What tenants answer when they are asked, logged in as each.

use std::collections::BTreeMap;

use super::error::Error;
use super::looked::Looked;
use crate::core::model::{Origin, State, TenantKey};
use crate::core::rows::{Answer, Rows, Said, union};
use crate::engine::error::Error as RunError;
use crate::engine::login::Logins;
use crate::engine::query::{Aggregate, Query, Question, aggregate};

/// What came of a question.
pub struct Asked {
    /// By key; fewer than there are tenants when it was interrupted.
    pub answers: Vec<Answer>,
    question: Question,
}

impl Looked {
    /// Logs in as each of these tenants (none: as each) with its delivered secret, and asks it. Nothing can be written: each question
    /// is a READ ONLY transaction. `each` is called as each answer is there, from the thread that got it.
    ///
    /// # Errors
    /// When one of them is not declared. What becomes of a tenant is its answer.
    pub fn query(
        &self,
        named: &[String],
        question: &Question,
        each: &(dyn Fn(&Answer) + Sync),
    ) -> Result<Asked, Error> {
        let ground = &self.session.ground;
        let interrupt = &ground.options.interrupt;
        let query = Query {
            logins: self.logins(),
            question,
            parallelism: ground.options.parallelism(),
            stop: interrupt.flag(),
            begins: &|tenant| interrupt.begins(format!("query {tenant}")),
            progress: &|answer| {
                interrupt.ends(&format!("query {}", answer.tenant));
                each(answer);
            },
        };
        Ok(Asked { answers: query.run(&self.to_verify(named)?), question: question.clone() })
    }

    /// SQL over the rows of all tenants, the table `tenants`, in SQLite: it reaches nothing else. It may take what the question might.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn aggregate(&self, asked: &Asked, sql: &str) -> Result<Rows, Error> {
        let interrupt = self.session.ground.options.interrupt.clone();
        let Question { timeout, max_rows, .. } = asked.question;
        let limits = Aggregate { sql, timeout, max_rows };
        aggregate(&asked.rows(), &limits, move || interrupt.is_stopped()).map_err(|message| {
            RunError::Refused {
                message: format!("the aggregate: {message}"),
                hint: Some(
                    "it is SQL as SQLite has it, over the table tenants; docs/query.md says what is in it".into(),
                ),
            }
            .into()
        })
    }

    pub(super) fn logins(&self) -> Logins<'_> {
        let ground = &self.session.ground;
        Logins {
            target: &ground.target,
            store: ground.store.as_ref(),
            desired: &ground.project.desired,
            observed: &self.observed,
        }
    }

    /// Tenants in use that tenants.toml does not name, by who declared them: what is done for each tenant is not done for these.
    /// [`Origin::why_undeclared`] says why.
    #[must_use]
    pub fn undeclared(&self) -> BTreeMap<Origin, Vec<&TenantKey>> {
        let ground = &self.session.ground;
        let registered = self.observed.registry.iter().flat_map(|registry| &registry.tenants);
        let undeclared = registered.filter(|(key, row)| {
            row.state == State::Active
                && ground.filter.selects(key)
                && !ground.project.desired.tenants.contains_key(*key)
        });
        let mut by_origin = BTreeMap::<_, Vec<_>>::new();
        undeclared.for_each(|(key, row)| by_origin.entry(row.declared_by).or_default().push(key));
        by_origin
    }
}

impl Asked {
    /// All rows in one table, whose first column is `tenant`.
    #[must_use]
    pub fn rows(&self) -> Rows {
        union(&self.answers)
    }

    /// Whether a tenant that was asked gave no rows.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.answers.iter().any(|answer| matches!(answer.said, Said::Failed(_)))
    }
}

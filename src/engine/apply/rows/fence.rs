//! Statements that run the tenant's code, as no more than its owner role: as migrations do (docs/adr/0002-hostile-tenants.md).

use postgres::Transaction;
use rand::RngExt;

use crate::core::model::{ident, literal, qualified};
use crate::core::report::TenantError;
use crate::engine::apply::confine;
use crate::engine::apply::failure::database_error;
use crate::engine::apply::job::Job;

/// Whose code it is.
#[derive(Clone, Copy)]
pub(super) struct Fence<'a> {
    pub job: &'a Job<'a>,
    pub schema: &'a str,
    pub owner: &'a str,
}

/// What is done inside.
pub(super) enum Step {
    Execute(String),
    /// The statement is to affect this many rows.
    Affects {
        sql: String,
        rows: u64,
        otherwise: String,
    },
    /// The query is to give this number.
    Gives {
        sql: String,
        number: u64,
        otherwise: String,
    },
}

impl Fence<'_> {
    /// In one function, called once: the code inside can ALTER the one that it runs in. See [`super::super::body`] for the DO
    /// block in it.
    ///
    /// # Errors
    /// What PostgreSQL answered, or what a step was to come to and did not.
    pub fn run(self, transaction: &mut Transaction<'_>, steps: &[Step], doing: &str) -> Result<(), TenantError> {
        let Self { job, schema, owner } = self;
        let tag = format!("t{:032x}", rand::rng().random::<u128>());
        let lines: String = steps.iter().map(|step| step.line(&tag)).collect();
        let block =
            format!("DO $d{tag}$DECLARE n pg_catalog.int8; BEGIN\n{lines}SET CONSTRAINTS ALL IMMEDIATE;\nEND $d{tag}$");
        let name = format!("tenantry_{tag}");
        let function = qualified(schema, &name);
        let create = format!(
            "SET LOCAL ROLE {}; CREATE FUNCTION {function}() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = {} AS \
             ${tag}$BEGIN EXECUTE $f{tag}${block}$f{tag}$; END${tag}$",
            ident(owner),
            job.apply.desired.search_path(schema),
        );
        let failed = |error: postgres::Error| database_error(doing, &error.into());
        transaction.batch_execute(&create).map_err(failed)?;
        transaction.batch_execute(&format!("SELECT {function}()")).map_err(failed)?;
        confine::back_to_ours(transaction, &job.resumption)?;
        transaction.batch_execute(&format!("DROP FUNCTION {function}()")).map_err(failed)
    }
}

impl Step {
    fn line(&self, tag: &str) -> String {
        let execute = |sql: &str| format!("EXECUTE $s{tag}${sql}$s{tag}$");
        let (head, number, otherwise) = match self {
            Self::Execute(sql) => return format!("{};\n", execute(sql)),
            Self::Affects { sql, rows, otherwise } => {
                (format!("{}; GET DIAGNOSTICS n = ROW_COUNT;", execute(sql)), rows, otherwise)
            }
            Self::Gives { sql, number, otherwise } => (format!("{} INTO n;", execute(sql)), number, otherwise),
        };
        format!(
            "{head} IF n <> {number} THEN RAISE EXCEPTION USING MESSAGE = {} || n; END IF;\n",
            literal(&format!("{otherwise}: {number} were expected, and there are "))
        )
    }
}

//! A tenants.toml: looks at it, and applies it. Each call reads the file anew, as each command does.

use std::path::PathBuf;
use std::str::FromStr;

use pyo3::prelude::*;
use tenantry::plan::{FleetKey, Plan, Saved};
use tenantry::render::{self, Style};
use tenantry::rows::{Answer, Cut, NotReading, Said};
use tenantry::{
    Asked, Consent, Environment, Error, Guard, Intent, Interrupt, Limits, Looked, Options, Question, Refusal, Tenantry,
    read_plan,
};

use crate::raised::{self, Words};
use crate::running::{Ended, Phase, Telling, run, seconds};
use crate::variables::Variables;

#[pyclass(frozen, module = "tenantry._tenantry")]
pub struct Project {
    file: PathBuf,
    environment: Environment,
    options: Options,
}

/// A plan as JSON, as text, whether nothing is to be done, and as a file holds it.
type Shown = (String, String, bool, String);

/// A tenant, and the age of its password in seconds.
type Age = (String, i64);

#[pymethods]
impl Project {
    #[new]
    fn new(
        py: Python<'_>,
        file: PathBuf,
        database_url: Option<String>,
        targets: Vec<String>,
        parallelism: Option<usize>,
        environment: Variables,
    ) -> PyResult<Self> {
        let project = Self {
            file,
            environment: environment.read(),
            options: Options { database_url, targets, parallelism, ..Options::default() },
        };
        // What is wrong with the file is said where it is named.
        project.read(py, project.options.clone(), |_, _| Ok(()))?;
        Ok(project)
    }

    fn plan(&self, py: Python<'_>, deep: bool, moved: bool) -> PyResult<Shown> {
        self.look(py, Options { deep, moved, ..self.options.clone() }, |looked| {
            let plan = looked.plan()?;
            Ok(shown(looked, &plan))
        })
    }

    /// And how many passwords are older than they may be, and how old each is.
    fn drift(&self, py: Python<'_>, deep: bool) -> PyResult<(Shown, usize, Vec<Age>)> {
        self.look(py, Options { deep, ..self.options.clone() }, |looked| {
            let drift = looked.drift()?;
            Ok((shown(looked, &drift.plan), drift.passwords_due, drift.password_ages))
        })
    }

    fn tenants(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, Options { sizes: true, ..self.options.clone() }, |looked| {
            let mut rows = looked.tenants()?;
            looked.estimate_rows(&mut rows)?;
            looked.count_locks(&mut rows)?;
            Ok(render::list::json(&rows))
        })
    }

    /// The verdicts as JSON and as text, and whether all are good.
    fn verify(&self, py: Python<'_>, tenants: Vec<String>) -> PyResult<(String, String, bool)> {
        self.look(py, self.options.clone(), move |looked| {
            let verdicts = looked.verify(&tenants, &|_| ())?;
            let (part, many) = (looked.part(&tenants), looked.many_locks()?);
            let text = render::verify::text(&verdicts, looked.declared(), part, &Style::default());
            let is_good = verdicts.iter().all(|verdict| verdict.ok);
            Ok((render::verify::json(&verdicts, part, &many), text, is_good))
        })
    }

    /// The rows as JSON; and of which tenants there are none or not all, and why.
    fn query(
        &self,
        py: Python<'_>,
        sql: &str,
        aggregate: Option<String>,
        tenants: Vec<String>,
        timeout: Option<f64>,
        max_rows: Option<usize>,
    ) -> PyResult<(String, Partly)> {
        let mut question = Question::new(sql).map_err(|error| not_reading(py, &error))?;
        question.timeout = timeout.map_or(Ok(Question::TIMEOUT), seconds)?;
        question.max_rows = max_rows.unwrap_or(Question::MAX_ROWS);
        self.look(py, self.options.clone(), move |looked| {
            let asked = looked.query(&tenants, &question, &|_| ())?;
            let rows = match &aggregate {
                Some(sql) => looked.aggregate(&asked, sql)?,
                None => asked.rows(),
            };
            let mut undeclared: Vec<String> =
                looked.undeclared().into_values().flatten().map(ToString::to_string).collect();
            undeclared.sort();
            Ok((render::rows::json(&rows), Partly::new(&asked, rows.cut, undeclared)))
        })
    }

    /// What came of it as JSON and as text, and whether all of it was done. `plan`: exactly that one, as a file holds it.
    #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
    fn apply(
        &self,
        py: Python<'_>,
        plan: Option<Source>,
        allow_removals: usize,
        allow_new_secrets: usize,
        allow_fleet_change: Vec<String>,
        rename_history: bool,
        moved: bool,
        deep: bool,
        max_failures: usize,
        end_blockers: bool,
        lock_timeout: f64,
    ) -> PyResult<(Applied, Option<Py<PyAny>>)> {
        let mut consents = vec![Consent::Removals(allow_removals), Consent::NewSecrets(allow_new_secrets)];
        for key in &allow_fleet_change {
            consents.push(Consent::FleetChange(FleetKey::from_str(key).map_err(|_| no_such_key(py, key))?));
        }
        consents.extend(rename_history.then_some(Consent::RenameHistory));
        consents.extend(moved.then_some(Consent::Moved));
        let lock_timeout = seconds(lock_timeout)?;
        let limits = Limits { max_failures, end_blockers, ..Limits::default() };
        let phase = Phase::default();
        let interrupt = Interrupt::default();
        let options = Options { moved, deep, lock_timeout, interrupt: interrupt.clone(), ..self.options.clone() };
        let (file, environment, writing) = (self.file.clone(), self.environment.clone(), phase.clone());
        let work = move |telling: &Telling| {
            let intent = intent(plan, moved)?;
            let planned = Tenantry::open(&file, &environment, options)?.lock()?.plan(intent)?;
            planned.notes().iter().for_each(|note| tenantry::Events::note(telling, note));
            let document = planned.plan().document();
            let approved = planned.approve(&consents)?.limited(limits);
            if !writing.may_write() {
                // The caller has been interrupted, and is gone.
                return Ok(None);
            }
            let report = approved.apply(telling)?;
            let text = render::report::text(&report, &document, &Style::default());
            Ok(Some(Applied {
                json: render::report::json(&report, &document),
                text,
                is_success: report.is_success(),
                interrupted: report.interrupted,
            }))
        };
        let Ended { result, interrupted } = run(py, &interrupt, &phase, work)?;
        let applied = match (result, &interrupted) {
            (Ok(applied), _) => applied.unwrap_or_default(),
            // It says why nothing came of it.
            (Err(error), Some(interrupted)) => {
                let cause = raised::of_library(py, &error);
                interrupted.set_cause(py, Some(cause));
                Applied::default()
            }
            (Err(error), None) => return Err(raised::of_library(py, &error)),
        };
        Ok((applied, interrupted.map(|interrupted| interrupted.into_value(py).into_any())))
    }
}

/// What came of an apply.
#[derive(Default, IntoPyObject)]
pub struct Applied {
    json: String,
    text: String,
    is_success: bool,
    interrupted: bool,
}

/// A plan that was saved.
#[derive(FromPyObject)]
pub enum Source {
    Text(Vec<u8>),
    File(PathBuf),
}

/// Why not all rows of all tenants are there.
#[derive(Default, IntoPyObject)]
pub struct Partly {
    failed: Vec<(String, String, Option<String>, Option<String>)>,
    skipped: Vec<(String, String)>,
    cut: Vec<(String, String)>,
    undeclared: Vec<String>,
    /// Of the rows of an aggregate.
    all_cut: Option<String>,
}

impl Partly {
    fn new(asked: &Asked, all_cut: Option<Cut>, undeclared: Vec<String>) -> Self {
        let mut partly = Self { undeclared, all_cut: all_cut.map(why_cut), ..Self::default() };
        for Answer { tenant, said } in &asked.answers {
            let tenant = tenant.to_string();
            match said {
                Said::Rows(rows) => partly.cut.extend(rows.cut.map(|cut| (tenant, why_cut(cut)))),
                Said::Skipped(why) => partly.skipped.push((tenant, why.clone())),
                Said::Failed(fault) => {
                    partly.failed.push((tenant, fault.message.clone(), fault.sqlstate.clone(), fault.hint.clone()));
                }
            }
        }
        partly
    }
}

impl Project {
    fn look<T: Send + 'static>(
        &self,
        py: Python<'_>,
        options: Options,
        work: impl FnOnce(&mut Looked) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        self.read(py, options, |tenantry, _| work(&mut tenantry.look()?))
    }

    fn read<T: Send + 'static>(
        &self,
        py: Python<'_>,
        options: Options,
        work: impl FnOnce(&Tenantry, &Telling) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        // One that was stopped stays stopped.
        let interrupt = Interrupt::default();
        let options = Options { interrupt: interrupt.clone(), ..options };
        let (file, environment) = (self.file.clone(), self.environment.clone());
        let work = move |telling: &Telling| work(&Tenantry::open(&file, &environment, options)?, telling);
        run(py, &interrupt, &Phase::default(), work)?.read(py)
    }
}

fn shown(looked: &Looked, plan: &Plan) -> Shown {
    let document = plan.document();
    let text = render::text::plan(&document, &Style::default());
    (render::json::plan(&document), text, plan.in_sync(), looked.save(plan).to_json())
}

/// The file can be anybody's, so that it gives no consent by itself; nor is one given that the file does not show.
fn intent(plan: Option<Source>, moved: bool) -> Result<Intent, Error> {
    let saved = match plan {
        None => return Ok(Intent::Converge),
        Some(Source::File(file)) => read_plan(&file)?,
        Some(Source::Text(text)) => {
            Saved::parse(&text).map_err(|error| refused(format!("the plan: {error}"), "plan again"))?
        }
    };
    match (saved.moved(), moved) {
        (true, false) => Err(refused(
            "the plan was made with moved=True: this database takes the secrets; nothing was changed",
            "if that is intended: apply(plan, moved=True)",
        )),
        (false, true) => Err(refused(
            "the plan was made without moved=True, and does not show what that does; nothing was changed",
            "plan again: plan(moved=True)",
        )),
        _ => Ok(Intent::Saved(Box::new(saved))),
    }
}

fn refused(message: impl Into<String>, hint: &str) -> Error {
    Refusal { guard: Guard::AsSaved(Vec::new()), message: message.into(), hint: Some(hint.to_owned()) }.into()
}

fn no_such_key(py: Python<'_>, key: &str) -> PyErr {
    let keys: Vec<&str> =
        FleetKey::ALL.iter().filter(|key| **key != FleetKey::HistoryTable).map(|key| key.as_str()).collect();
    let words =
        Words::new(format!("allow_fleet_change: {key:?} is no such key"), format!("one of: {}", keys.join(", ")));
    raised::raised(py, "Refused", words, None)
}

fn not_reading(py: Python<'_>, error: &NotReading) -> PyErr {
    let hint = match error {
        NotReading::Nothing => "write one, such as: SELECT count(*) FROM users",
        NotReading::Several => "one at a time; WITH and UNION ALL ask for several things at once",
        NotReading::Other(_) => "query takes one SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN",
    };
    raised::raised(py, "Refused", Words::new(format!("the query: {error}"), hint), None)
}

fn why_cut(cut: Cut) -> String {
    match cut {
        Cut::Rows(rows) => format!("more than {rows} rows"),
        Cut::Bytes(bytes) => format!("more than {bytes} bytes of one tenant"),
        Cut::BytesOfAll(bytes) => format!("more than {bytes} bytes of all tenants"),
    }
}

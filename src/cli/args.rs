//! What can be typed.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use tenantry::plan::FleetKey;
use tenantry::render::list::{Column, STATES, Sort};
use tenantry::{MAX_FAILURES, Question};

/// Declarative reconciler for schema-per-tenant PostgreSQL
///
/// Reads the tenants a team wants from tenants.toml, compares them with what PostgreSQL and the secret store hold, shows a plan, and applies it: each tenant in one transaction.
#[derive(Debug, Parser)]
#[command(name = "tenantry", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What clap cannot tell: options of all commands that make no sense for this one.
    pub fn nonsense(&self) -> Option<clap::Error> {
        let says = |kind, message: &str| Some(Self::command().error(kind, message));
        match &self.command {
            Command::List(_) | Command::Query(_) | Command::Audit(_) => None,
            Command::Exec(args) if args.tenant.is_none() && !args.all && self.global.target.is_empty() => {
                says(ErrorKind::MissingRequiredArgument, "as whom: a tenant's key, --all, or --target GLOB")
            }
            _ if self.global.format == FormatName::Csv => {
                says(ErrorKind::InvalidValue, "'--format csv' is for commands that print rows: list, query, audit")
            }
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The file that declares the tenants
    #[arg(short, long, global = true, value_name = "FILE", default_value = "tenants.toml")]
    pub config: PathBuf,
    /// The database; else TENANTRY_DATABASE_URL, then [database] url, then libpq's PG* variables
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Output format; csv: of the commands that print rows
    #[arg(long, global = true, value_enum, default_value_t = FormatName::Text)]
    pub format: FormatName,
    /// When to use colour; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value_t = ColorWhen::Auto)]
    pub color: ColorWhen,
    /// Print less: no progress, no notes
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print more: each tenant on its own, with its SQL; given twice: logs as well
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Format of the logs on stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Only the tenants whose key matches; may be repeated
    #[arg(long, global = true, value_name = "GLOB")]
    pub target: Vec<String>,
    /// Connections to work on at the same time [default: the smaller of 8 and twice the number of cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub parallelism: Option<u16>,
}

/// What `--format` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    Text,
    Json,
    Markdown,
    Csv,
}

/// What every command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Markdown,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Json => Self::Json,
            FormatName::Markdown => Self::Markdown,
            FormatName::Text | FormatName::Csv => Self::Text,
        }
    }
}

impl PartialEq<Format> for FormatName {
    fn eq(&self, format: &Format) -> bool {
        Format::from(*self) == *format
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented tenants.toml and a first migration
    Init(InitArgs),
    /// Check tenants.toml and the migrations, offline
    Validate,
    /// Write a tenant into tenants.toml, which keeps its comments and its order
    ///
    /// Nothing is written unless the file is valid with it. PostgreSQL is not asked: tenantry plan shows what apply would do.
    Add(AddArgs),
    /// Take a tenant out of tenants.toml, or out of the file that it includes
    ///
    /// PostgreSQL is not asked: what becomes of the tenant's data is for the next apply, which needs --allow-removals.
    Forget(ForgetArgs),
    /// Show what apply would do; change nothing
    Plan(PlanArgs),
    /// Plan, ask for confirmation, and apply
    Apply(ApplyArgs),
    /// Report whether anything differs from tenants.toml; read-only, for scheduled jobs
    ///
    /// Exits with 0 when in sync, 2 when not, 1 on error.
    Drift(DriftArgs),
    /// Show the fleet: every tenant with its state, migration, size, connections and secret's age
    List(ListArgs),
    /// Show one tenant, desired state against observed, or a saved plan
    Show(ShowArgs),
    /// Give tenants a new password, in PostgreSQL and in the secret store
    ///
    /// Nothing else about them changes. Open sessions continue; new logins need the new secret.
    Rotate(RotateArgs),
    /// Take existing schemas and roles under management
    ///
    /// Of declared tenants whose schema or role exists and that tenantry does not manage yet. The plan shows what adopting one changes: owners, privileges, settings. No password changes unless --rotate says so.
    Adopt(AdoptArgs),
    /// Log in as each tenant with its delivered secret; prove that it reaches its own schema and no other
    Verify(VerifyArgs),
    /// Run one read-only query in every tenant, logged in as that tenant; print the rows as one table
    ///
    /// A column tenant stands first. Exits with 1 when any tenant failed; the rows of the others are printed.
    Query(QueryArgs),
    /// Run a program as a tenant, with its PG* variables and DATABASE_URL; or as many, several at once
    ///
    /// As one tenant: it takes the place of tenantry, with its stdin, stdout and exit code. As many: its lines begin with the tenant's key, and the exit code is 1 when any failed.
    Exec(ExecArgs),
    /// Show what was done to whom, when, by which admin and which version; the newest first
    Audit(AuditArgs),
    /// Dump one tenant's schema into a file, with a manifest and a checksum; the tenant stays online
    Archive(ArchiveArgs),
    /// Bring a tenant back from its archive, with a new password
    Restore(RestoreArgs),
    /// Create a declared tenant as another one is: what the migrations create, and with --data its rows
    ///
    /// The rows are those of one moment; the other tenant stays online, and as it is.
    Copy(CopyArgs),
    /// Print the SQL that registers tenants again when schema tenantry was lost; change nothing
    ///
    /// It takes what is of tenantry's making here: schemas of the declared owners, roles in tenantry's group role. Run it with psql, and then plan.
    Recover,
    /// Try tenants.toml on a throw-away PostgreSQL, with secrets in files; delete it all afterwards
    Sandbox(SandboxArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to write
    #[arg(default_value = ".")]
    pub directory: PathBuf,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Compare what drift --deep compares
    #[arg(long)]
    pub deep: bool,
    /// Plan what apply --moved would do
    #[arg(long)]
    pub moved: bool,
    /// Save the plan to this file, for apply FILE
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 2 when there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// Of the commands that only one may run at a time.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// Wait up to this long for another apply on the same database, such as 5m, instead of failing at once
    #[arg(long, value_name = "DURATION", value_parser = tenantry::config::duration)]
    pub lock_timeout: Option<std::time::Duration>,
}

/// Of the commands that ask before they change anything.
#[derive(Clone, Copy, Debug, Args)]
pub struct ApproveArgs {
    /// Do not ask for confirmation
    #[arg(short = 'y', long)]
    pub auto_approve: bool,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A plan saved with plan --out: applied as saved, refused when stale
    #[arg(value_name = "PLANFILE")]
    pub plan: Option<PathBuf>,
    /// Try each delivered password, and set those again that do not work
    #[arg(long)]
    pub deep: bool,
    #[command(flatten)]
    pub approve: ApproveArgs,
    /// This database came from another cluster or address, and is now the one that its secrets are for
    #[arg(long)]
    pub moved: bool,
    /// Allow up to N tenants a new password because their secret is gone
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub allow_new_secrets: usize,
    /// Allow up to N tenants to be removed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub allow_removals: usize,
    /// Allow what this key of tenants.toml changes for much of the fleet, such as secrets.path; may be given more than once
    #[arg(long, value_name = "KEY", value_parser = fleet_key())]
    pub allow_fleet_change: Vec<FleetKey>,
    /// Rename the tenants' history tables to what [migrations] table says now
    #[arg(long)]
    pub rename_history: bool,
    /// Start no more tenants once N have failed with the same error; 0: continue whatever fails
    #[arg(long, value_name = "N", default_value_t = MAX_FAILURES)]
    pub max_failures: usize,
    /// End sessions of tenants that keep it waiting for a lock; never those of other roles
    #[arg(long)]
    pub end_blockers: bool,
    #[command(flatten)]
    pub lock: LockArgs,
}

fn class_glob(text: &str) -> Result<globset::GlobMatcher, String> {
    globset::Glob::new(text).map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

/// Those with a flag of their own left out.
fn fleet_key() -> impl clap::builder::TypedValueParser<Value = FleetKey> {
    let keys = FleetKey::ALL.into_iter().filter(|key| *key != FleetKey::HistoryTable).map(FleetKey::as_str);
    clap::builder::PossibleValuesParser::new(keys).try_map(|key| key.parse::<FleetKey>())
}

#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Try each delivered password, and compare each schema's shape with what the migrations create
    #[arg(long)]
    pub deep: bool,
    /// Write an HTML report to this file: one page that loads nothing
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Write Prometheus metrics to this file, atomically
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// The class that it is of
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// One of its keys, such as connection_limit=50 or settings.work_mem=16MB; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
    /// The new tenant's key
    #[arg(value_name = "KEY")]
    pub tenant: String,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// The tenant's key
    #[arg(value_name = "KEY")]
    pub tenant: String,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Compare the shape of the tenant's schema with what the migrations create
    #[arg(long)]
    pub shape: bool,
    /// Print a response-wrapping token of Vault's instead, with which the tenant's secret can be read once within this time, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = tenantry::config::duration, conflicts_with = "shape")]
    pub wrap: Option<std::time::Duration>,
    /// The tenant's key, or the file of a saved plan
    #[arg(value_name = "TENANT|PLANFILE")]
    pub tenant: String,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    pub which: WhichArgs,
    /// With rotation "two-user": disable the user that the secret named until then, and end its sessions
    #[arg(long)]
    pub end_old: bool,
    #[command(flatten)]
    pub approve: ApproveArgs,
    /// Start no more tenants once N have failed with the same error; 0: continue whatever fails
    #[arg(long, value_name = "N", default_value_t = MAX_FAILURES)]
    pub max_failures: usize,
    #[command(flatten)]
    pub lock: LockArgs,
}

/// Whose passwords: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WhichArgs {
    /// The tenants' keys
    pub tenants: Vec<String>,
    /// Every tenant whose password does not come from password_from
    #[arg(long)]
    pub all: bool,
    /// Of those, the tenants whose password is at least this old, such as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = tenantry::config::duration)]
    pub older_than: Option<std::time::Duration>,
    /// Of those, the tenants whose password is older than their rotate_after
    #[arg(long)]
    pub due: bool,
}

#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// The tenants' keys; every declared tenant that exists and is not managed yet if omitted
    pub tenants: Vec<String>,
    /// Print what tenants.toml would say of schemas that match and that nobody declared, and change nothing
    #[arg(long, value_name = "GLOB", conflicts_with_all = ["tenants", "baseline", "rotate", "keep_password"])]
    pub print: Option<String>,
    /// Record the migrations up to this version as applied, without running them, where a schema has no history
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(0..))]
    pub baseline: Option<i64>,
    /// Give each role that exists a new password, and write its secret
    #[arg(long, conflicts_with = "keep_password")]
    pub rotate: bool,
    /// Leave each password as it is where there is no secret, and write none until rotate
    #[arg(long)]
    pub keep_password: bool,
    /// Allow up to N tenants whose schema differs from what the migrations up to the baseline create
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub allow_different_shapes: usize,
    #[command(flatten)]
    pub approve: ApproveArgs,
    /// Start no more tenants once N have failed with the same error; 0: continue whatever fails
    #[arg(long, value_name = "N", default_value_t = MAX_FAILURES)]
    pub max_failures: usize,
    #[command(flatten)]
    pub lock: LockArgs,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The tenants' keys; all tenants if omitted
    pub tenants: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Show these columns: tenant, schema, username, state, class, migration, size, connections, secret_age, rows, last_migration
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub columns: Vec<Column>,
    /// Sort by these columns; -COLUMN: the highest first
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub sort: Vec<Sort>,
    /// Only tenants in this state; may be repeated
    #[arg(long, value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(STATES))]
    pub state: Vec<String>,
    /// Only tenants of classes that match this glob, such as pro or trial-*; may be repeated
    #[arg(long, value_name = "GLOB", value_parser = class_glob)]
    pub class: Vec<globset::GlobMatcher>,
    /// Only tenants whose password is older, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = tenantry::config::duration)]
    pub older_than: Option<std::time::Duration>,
    /// Only tenants with a lower migration version, or with none
    #[arg(long, value_name = "VERSION")]
    pub version_below: Option<i64>,
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// One SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub sql: Option<String>,
    /// Read the query from this file; -: from stdin
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print what this SQL gives over all the rows, the table tenants, in SQLite
    #[arg(long, value_name = "SQL")]
    pub aggregate: Option<String>,
    /// Cancel a tenant's query that takes longer
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = tenantry::config::duration)]
    pub timeout: std::time::Duration,
    /// Take no more rows than these from a tenant
    #[arg(long, value_name = "N", default_value_t = Question::MAX_ROWS)]
    pub max_rows: usize,
}

#[derive(Debug, Args)]
pub struct ExecArgs {
    /// The tenant's key; otherwise --all or --target
    #[arg(conflicts_with = "all")]
    pub tenant: Option<String>,
    /// As every tenant
    #[arg(long)]
    pub all: bool,
    /// Start no more once N have ended with the same exit code, other than 0; 0: go on whatever fails
    #[arg(long, value_name = "N", default_value_t = MAX_FAILURES)]
    pub max_failures: usize,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Only this tenant, also one that is long gone
    pub tenant: Option<String>,
    /// Only the last so much time, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = tenantry::config::duration)]
    pub since: Option<std::time::Duration>,
    /// Show no more than these
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// The tenant's key
    pub tenant: String,
    /// Directory to write to; [archive] dir if omitted
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub lock: LockArgs,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The archive's manifest (.json), or the dump beside it
    pub file: PathBuf,
    /// Fill this tenant instead, which is declared and not there yet: its migrations create the tables, the archive has the rows
    #[arg(long = "as", value_name = "KEY")]
    pub as_tenant: Option<String>,
    #[command(flatten)]
    pub approve: ApproveArgs,
    /// End sessions of tenants that keep it waiting for a lock; never those of other roles
    #[arg(long)]
    pub end_blockers: bool,
    #[command(flatten)]
    pub lock: LockArgs,
}

#[derive(Debug, Args)]
pub struct CopyArgs {
    /// The tenant that is copied
    pub from: String,
    /// The tenant that is created: declared, and not there yet
    pub to: String,
    /// Its rows too
    #[arg(long)]
    pub data: bool,
    #[command(flatten)]
    pub approve: ApproveArgs,
    #[command(flatten)]
    pub lock: LockArgs,
}

#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Use the secret store of tenants.toml instead of files
    #[arg(long)]
    pub configured_store: bool,
    /// A command to run while it is up, with DATABASE_URL and PG* set for the admin
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

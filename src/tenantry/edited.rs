//! tenants.toml with one more tenant in it, or without one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::Error;
use crate::core::config::{self, Configuration, Text};
use crate::core::model::{OnRemove, Tenant, TenantKey};
use crate::engine::error::{Context, Error as RunError};
use crate::engine::private::publish;
use crate::engine::project::Project;

/// A change of one file that leaves a valid configuration. Nothing is written yet.
pub struct Edit {
    /// Of tenants.toml, or of the file that it includes.
    pub file: PathBuf,
    pub tenant: TenantKey,
    /// Its policy, of a tenant that is taken out.
    pub on_remove: Option<OnRemove>,
    before: Text,
    after: Text,
}

impl Edit {
    /// What changes, as a unified diff. What may be a password is masked.
    #[must_use]
    pub fn diff(&self) -> String {
        let (before, after) = (config::redacted(&self.before), config::redacted(&self.after));
        let name = self.before.path.as_str();
        similar::TextDiff::from_lines(&before, &after).unified_diff().context_radius(2).header(name, name).to_string()
    }

    /// Writes it: whoever reads the file meanwhile sees the old one or the new one. Its mode stays, and a link to it.
    ///
    /// # Errors
    /// When somebody else has changed the file since, or what the system answered.
    pub fn write(&self) -> Result<(), Error> {
        let doing = || format!("writing {}", self.file.display());
        let real = self.file.canonicalize().doing(doing())?;
        if fs::read_to_string(&real).doing(doing())? != self.before.source {
            let message = format!("{} was changed meanwhile; nothing was written", self.file.display());
            return Err(RunError::refused(message, "run the command again").into());
        }
        let dir = real.parent().unwrap_or(Path::new("/"));
        let mut file = tempfile::Builder::new().prefix(".tenantry-").tempfile_in(dir).doing(doing())?;
        file.write_all(self.after.source.as_bytes()).doing(doing())?;
        like(file.as_file(), &real).doing(doing())?;
        Ok(publish(file, &real).doing(doing())?)
    }
}

/// With the mode of the file that it replaces, and, for root, its owner.
#[cfg(unix)]
fn like(file: &File, real: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let was = real.metadata()?;
    let is = file.metadata()?;
    if (is.uid(), is.gid()) != (was.uid(), was.gid()) {
        fchown(file, Some(was.uid()), Some(was.gid()))?;
    }
    file.set_permissions(was.permissions())
}

#[cfg(not(unix))]
fn like(file: &File, real: &Path) -> std::io::Result<()> {
    file.set_permissions(real.metadata()?.permissions())
}

/// `set`: keys of the tenant and their values.
pub(super) fn add(
    project: &Project,
    environment: &Environment,
    key: &str,
    set: &[(String, String)],
) -> Result<Edit, Error> {
    let key = TenantKey::new(key).map_err(|error| {
        RunError::refused(format!("{key:?}: {error}"), "choose another key, such as acme or globex-2")
    })?;
    if let Some(place) = config::declared_in(&project.texts, key.as_str()) {
        let hint = "edit it there, or choose another key";
        return Err(RunError::refused(format!("tenant {key} already exists: {place}"), hint).into());
    }
    // An argument is in the shell's history, in the list of processes, and then in the file.
    let is_given = |(name, value): &&(String, String)| name == "password_from" && !value.contains("${");
    if set.iter().find(is_given).is_some() {
        let hint = "name an environment variable that holds it: --set 'password_from=\"${ACME_PASSWORD}\"'";
        return Err(RunError::refused("a password was given on the command line; nothing was written", hint).into());
    }
    let source = config::with_tenant(&project.texts[0].source, key.as_str(), set).map_err(|message| {
        RunError::refused(format!("{message}; nothing was written"), "as in: --set connection_limit=50")
    })?;
    edit(project, environment, (0, source), key, None)
}

pub(super) fn forget(project: &Project, environment: &Environment, key: &str) -> Result<Edit, Error> {
    let found = project.desired.tenants.iter().find(|(known, _)| known.as_str() == key);
    let Some((key, tenant)) = found else {
        let files: Vec<&str> = project.texts.iter().map(|text| text.path.as_str()).collect();
        let message = format!("tenant {key:?} is not in {}; nothing was written", crate::core::words::few(&files));
        return Err(RunError::refused(message, "the keys are those under [tenants]").into());
    };
    if tenant.protected {
        let place = config::declared_in(&project.texts, key.as_str()).unwrap_or_default();
        let message = format!("tenant {key} is protected: {place}; nothing was written");
        return Err(RunError::refused(message, "remove protected = true first, in a commit of its own").into());
    }
    for (file, text) in project.texts.iter().enumerate() {
        let without = config::without_tenant(&text.source, key.as_str());
        let without =
            without.map_err(|message| RunError::refused(format!("{}: {message}", text.path), "tenantry validate"))?;
        if let Some(source) = without {
            return edit(project, environment, (file, source), key.clone(), Some(tenant.on_remove));
        }
    }
    Err(RunError::refused(format!("tenant {key} is declared by no file; nothing was written"), "tenantry list").into())
}

/// The edit, if what comes of it is valid, and differs in this tenant and in nothing else.
fn edit(
    project: &Project,
    environment: &Environment,
    (number, source): (usize, String),
    tenant: TenantKey,
    on_remove: Option<OnRemove>,
) -> Result<Edit, Error> {
    let before = project.texts[number].clone();
    let after = Text { source, ..before.clone() };
    let mut texts = project.texts.clone();
    texts[number] = Text { path: format!("{} (not written)", before.path), ..after.clone() };
    let parsed = config::parse_all(&texts, &[], &|name| environment.get(name)).map_err(RunError::from)?;
    if !is_else_the_same(project, &parsed, &tenant) {
        let message =
            format!("{}: tenant {tenant} cannot be edited without changing others; nothing was written", before.path);
        return Err(RunError::refused(message, "edit the file by hand").into());
    }
    Ok(Edit { file: before.path.clone().into(), tenant, on_remove, before, after })
}

fn is_else_the_same(project: &Project, parsed: &Configuration, edited: &TenantKey) -> bool {
    let others = |tenant: &&Tenant| tenant.key != *edited;
    let described = |tenant: &Tenant| format!("{tenant:?}");
    let before = project.desired.tenants.values().filter(others).map(described);
    before.eq(parsed.tenants.values().filter(others).map(described))
}

//! The connection service file: `~/.pg_service.conf`, or what PGSERVICEFILE names.
//! <https://www.postgresql.org/docs/current/libpq-pgservice.html>

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::params::Params;
use super::target_error::TargetError;

/// Where the distributions' libpq looks for the system's file when PGSYSCONFDIR is not set.
const SYSTEM_DIRECTORIES: [&str; 2] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql"];

/// Fills gaps from the service that the parameters or PGSERVICE name, if any. As in libpq, a service comes before the
/// other variables.
pub(super) fn fill(
    params: &mut Params,
    env: &dyn Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<(), TargetError> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let Some(service) = params.get("service").map(str::to_owned).or_else(|| set("PGSERVICE")) else { return Ok(()) };
    let own = params.get("servicefile").map(str::to_owned).or_else(|| set("PGSERVICEFILE")).map(PathBuf::from);
    let mut looked_in: Vec<PathBuf> =
        own.or_else(|| home.map(|home| home.join(".pg_service.conf"))).into_iter().collect();
    match set("PGSYSCONFDIR") {
        Some(directory) => looked_in.push(Path::new(&directory).join("pg_service.conf")),
        None => looked_in.extend(SYSTEM_DIRECTORIES.map(|directory| Path::new(directory).join("pg_service.conf"))),
    }
    for path in &looked_in {
        let text = match crate::engine::private::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(source) => return Err(TargetError::Unreadable { path: path.clone(), source }),
        };
        if read(params, &service, &text, path)? {
            return Ok(());
        }
    }
    Err(TargetError::NoService { service, looked_in })
}

/// Whether the file has the service.
fn read(params: &mut Params, service: &str, text: &str, path: &Path) -> Result<bool, TargetError> {
    let (mut inside, mut found) = (false, false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let fault = |problem: &str| TargetError::ServiceFile {
            path: path.to_owned(),
            line: number + 1,
            problem: problem.into(),
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if found {
                break;
            }
            inside = name == service;
            found = inside;
        } else if inside {
            let (name, value) = line.split_once('=').ok_or_else(|| fault("a line has no ="))?;
            match name.trim() {
                "service" | "servicefile" => return Err(fault("a service cannot name another")),
                name => {
                    params.fill(name, value.trim().to_owned(), &format!("service {service} in {}", path.display()))?
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_fill(text: &str, url: &str) -> Result<Params, TargetError> {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(".pg_service.conf"), text).unwrap();
        let mut params = Params::parse(url, "--database-url").unwrap();
        fill(&mut params, &|_| None, Some(home.path()))?;
        Ok(params)
    }

    #[test]
    fn a_service_fills_what_the_url_leaves_out() {
        let text = "# ours\n[other]\nhost=x\n[prod]\nhost=db\nport=6432\n\n[last]\nuser=z\n";
        let params = try_fill(text, "service=prod port=1").unwrap();
        assert_eq!((params.get("host"), params.get("port"), params.get("user")), (Some("db"), Some("1"), None));
    }

    #[test]
    fn a_missing_service_and_a_bad_line_are_named() {
        let error = try_fill("[a]\nhost=x\n", "service=prod").err().unwrap();
        assert_eq!(error.to_string(), "service \"prod\" is not in any service file");
        assert!(error.hint().unwrap().contains(".pg_service.conf"));
        let error = try_fill("[prod]\nhost=x\nport\n", "service=prod").err().unwrap().to_string();
        assert!(error.ends_with("line 3: a line has no ="), "{error}");
        let error = try_fill("[prod]\nhots=x\n", "service=prod").err().unwrap().to_string();
        assert!(error.starts_with("unknown connection parameter hots in service prod"), "{error}");
    }
}

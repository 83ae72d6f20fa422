//! What a dump says of its session, and what we say instead.
//!
//! pg_dump writes names so that they can be read with an empty search_path, and has pg_restore set that. The bodies of
//! functions it writes as their authors did, and those say `low(t)` where they mean the tenant's own. So CHECKs, indexes,
//! generated columns, domains, partition keys and materialized views that call one which calls another would not come back:
//! a dump is restored with the search_path that the tenant works with.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Stdio;

use super::programs::{Programs, failed};
use crate::engine::error::{Context, Error};

/// The line with which pg_dump empties the search_path (CVE-2018-1058).
const EMPTIES_THE_PATH: &str = "SELECT pg_catalog.set_config('search_path', '', false);\n";

/// As long, since the table of contents holds places in the file. Goes back to what the role has been given.
const KEEPS_THE_ROLES: &str = "RESET search_path;";

/// That the special entries come first was so in every version; there are three of them.
const WITHIN: u64 = 1 << 16;

/// What pg_restore puts back: not the schema itself, which is there; and no privileges, which are what tenants.toml says, not what
/// they were. Owners are as they were: the roles have the same names.
pub(super) fn wanted(schema: &str) -> Vec<String> {
    let mut wanted: Vec<String> =
        ["--no-privileges", "--no-tablespaces", "--no-security-labels"].map(Into::into).to_vec();
    // The dump turns policies on once its rows are in; those of shared tables hold for the code that runs meanwhile.
    wanted.push("--enable-row-security".into());
    // Of that schema only: a name and no pattern.
    wanted.push(format!("--schema={schema}"));
    wanted
}

/// Copies a dump, changed so that pg_restore leaves the search_path alone.
///
/// # Errors
/// When it is no dump of pg_dump's custom format as all versions write it; or what the reader or the writer answered.
pub(super) fn copy_keeping_path(mut dump: impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut begin = Vec::new();
    dump.by_ref().take(WITHIN).read_to_end(&mut begin)?;
    let at = place_of_the_path(&begin).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "the dump does not say which search_path it is restored with")
    })?;
    let statement = format!("{KEEPS_THE_ROLES:<0$}\n", EMPTIES_THE_PATH.len() - 1);
    begin[at..at + statement.len()].copy_from_slice(statement.as_bytes());
    to.write_all(&begin)?;
    io::copy(&mut dump, to)?;
    to.flush()
}

/// Where the statement stands in the table of contents. Its entry holds NUL bytes, as lengths, which no text of PostgreSQL's
/// does: nothing that a tenant chose can be mistaken for it.
fn place_of_the_path(dump: &[u8]) -> Option<usize> {
    // Numbers are a byte for the sign and four, the lowest first; texts have their length before them (pg_backup_archiver.c).
    let number = |n: usize| [&[0][..], &u32::try_from(n).unwrap_or_default().to_le_bytes()].concat();
    let text = |text: &str| [number(text.len()), text.as_bytes().to_vec()].concat();
    const PRE_DATA: usize = 2;
    let entry = [text("SEARCHPATH"), text("SEARCHPATH"), number(PRE_DATA), text(EMPTIES_THE_PATH)].concat();
    let at = dump.windows(entry.len()).position(|window| window == entry)?;
    Some(at + entry.len() - EMPTIES_THE_PATH.len())
}

/// One section of the dump, `pre-data` or `post-data`, as SQL.
///
/// # Errors
/// When pg_restore cannot read the dump.
pub(super) fn section(programs: &Programs, dump: &Path, schema: &str, section: &str) -> Result<Vec<u8>, Error> {
    let doing = format!("reading back {}", dump.display());
    let mut command = programs.command("pg_restore", None);
    command.args(wanted(schema)).arg(format!("--section={section}")).arg("--file=-").arg(dump);
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().doing(&doing)?;
    if output.status.success() {
        Ok(bare(&output.stdout, None))
    } else {
        Err(failed(&doing, &output.stderr, output.status))
    }
}

/// Settings of the session that are ours to say, and what only psql understands (`\restrict`, CVE-2025-8714).
const OF_THE_SESSION: [&[u8]; 7] = [
    b"\\restrict ",
    b"SET statement_timeout ",
    b"SET lock_timeout ",
    b"SET idle_in_transaction_session_timeout ",
    b"SET transaction_timeout ",
    b"SET client_encoding ",
    b"SELECT pg_catalog.set_config('search_path', ",
];

/// A script of pg_restore's, as far as it is SQL for any session. `token`: the one after `\restrict`, where that was in what went before.
pub(super) fn bare(script: &[u8], token: Option<&[u8]>) -> Vec<u8> {
    let mut rest = script;
    let mut bare = Vec::with_capacity(script.len());
    // The head: settings and comments, before anything that is the tenant's.
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..=end];
        if OF_THE_SESSION.iter().any(|is| line.starts_with(is)) {
        } else if line == b"\n" || line.starts_with(b"--") || line.starts_with(b"SET ") {
            bare.extend_from_slice(line);
        } else {
            break;
        }
        rest = &rest[end + 1..];
    }
    let Some(token) = token.or_else(|| restricted_by(script)) else {
        bare.extend_from_slice(rest);
        return bare;
    };
    // The token is random, made after the tenant wrote what it did.
    let tail = [b"\\unrestrict ", token].concat();
    match rest.windows(tail.len()).rposition(|window| window == tail) {
        Some(at) => bare.extend_from_slice(&rest[..at]),
        None => bare.extend_from_slice(rest),
    }
    bare
}

/// What stands after `\restrict` in the head of a script.
pub(super) fn restricted_by(script: &[u8]) -> Option<&[u8]> {
    let head = script.split(|byte| *byte == b'\n').take_while(|line| {
        line.is_empty() || line.starts_with(b"--") || line.starts_with(b"SET ") || line.starts_with(b"\\restrict ")
    });
    head.filter_map(|line| line.strip_prefix(b"\\restrict ")).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(defn: &str) -> Vec<u8> {
        let text = |text: &str| {
            let mut bytes = vec![0];
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend(text.as_bytes());
            bytes
        };
        [text("SEARCHPATH"), text("SEARCHPATH"), vec![0, 2, 0, 0, 0], text(defn)].concat()
    }

    #[test]
    fn the_dump_is_changed_in_one_place_and_as_long_as_before() {
        let dump =
            [b"PGDMP head".to_vec(), entry(EMPTIES_THE_PATH), EMPTIES_THE_PATH.into(), vec![7; 1 << 17]].concat();
        let mut copy = Vec::new();
        copy_keeping_path(dump.as_slice(), &mut copy).unwrap();
        assert_eq!(copy.len(), dump.len());
        let changed: Vec<usize> = (0..dump.len()).filter(|at| dump[*at] != copy[*at]).collect();
        let (first, last) = (changed[0], changed[changed.len() - 1]);
        assert!(String::from_utf8_lossy(&copy[first..]).starts_with("RESET search_path;  "));
        assert!(last - first < EMPTIES_THE_PATH.len());
        assert_eq!(copy[first + EMPTIES_THE_PATH.len() - 1], b'\n');
    }

    #[test]
    fn a_dump_without_the_place_is_refused() {
        assert!(copy_keeping_path(&b"PGDMP something else"[..], &mut Vec::new()).is_err());
        assert!(copy_keeping_path(EMPTIES_THE_PATH.as_bytes(), &mut Vec::new()).is_err(), "in somebody's text");
    }

    #[test]
    fn a_script_loses_its_session_and_what_is_for_psql() {
        let script = "--\n-- PostgreSQL database dump\n--\n\n\\restrict tok\n\n-- Dumped\n\nSET statement_timeout = 0;\n\
                      SET row_security = on;\nSELECT pg_catalog.set_config('search_path', '', false);\n\nCREATE FUNCTION f() AS '\n\
                      SET lock_timeout = 0;\n\\restrict x\n\\unrestrict x\n';\n\n\\unrestrict tok\n\n";
        let bare = String::from_utf8(bare(script.as_bytes(), None)).unwrap();
        assert_eq!(
            bare,
            "--\n-- PostgreSQL database dump\n--\n\n\n-- Dumped\n\nSET row_security = on;\n\nCREATE FUNCTION f() AS '\n\
             SET lock_timeout = 0;\n\\restrict x\n\\unrestrict x\n';\n\n"
        );
    }
}

//! Large objects: they are in no schema, so no dump of a schema holds them; they belong to the tenant all the same.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use postgres::{Client, Transaction};

use crate::core::model::{Desired, Subject, ident};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};
use crate::engine::private;
use crate::engine::registry;

/// Bytes read or written by one statement.
const PIECE: usize = 1 << 20;

/// `INV_READ` (manual, "Large Objects", Client Interfaces).
const INV_READ: i32 = 0x40000;

/// In a tar archive a directory says whose an object is, so that it finds its owner under whatever name.
const DIRECTORIES: [&str; 2] = ["username", "owner"];

pub(super) struct LargeObject {
    pub oid: u32,
    owner: String,
}

/// Those of the tenant's, by OID, and how many of its owner role's may be another tenant's: what a role owns that several
/// tenants share cannot be told apart.
pub(super) fn list(
    transaction: &mut Transaction<'_>,
    subject: &Subject,
    desired: &Desired,
) -> Result<(Vec<LargeObject>, usize), Error> {
    let doing = "looking for large objects";
    let is_registered = registry::has_another_with_owner(transaction, &subject.owner, &subject.tenant).doing(doing)?;
    let is_shared = is_registered
        || desired.tenants.values().any(|other| other.key != subject.tenant && other.owner() == subject.owner);
    let all = owned(transaction, subject)?;
    let found = all.len();
    let own: Vec<_> = all.into_iter().filter(|object| !is_shared || object.owner == subject.username).collect();
    let left_out = found - own.len();
    Ok((own, left_out))
}

fn owned(transaction: &mut Transaction<'_>, subject: &Subject) -> Result<Vec<LargeObject>, Error> {
    let rows = transaction
        .ask(
            "SELECT m.oid, r.rolname::text AS owner FROM pg_catalog.pg_largeobject_metadata m \
             JOIN pg_catalog.pg_roles r ON r.oid = m.lomowner WHERE r.rolname = ANY ($1::text[]::name[]) ORDER BY m.oid",
            &[&subject.roles()],
        )
        .doing("looking for large objects")?;
    Ok(rows.iter().map(|row| LargeObject { oid: row.get("oid"), owner: row.get("owner") }).collect())
}

/// Writes them into a tar archive, which `lo_import` or any tar can read too.
///
/// # Errors
/// What PostgreSQL or the file system answered.
pub(super) fn write(
    transaction: &mut Transaction<'_>,
    objects: &[LargeObject],
    subject: &Subject,
    file: &File,
) -> Result<(), Error> {
    let doing = "reading the large objects";
    let mut tar = tar::Builder::new(BufWriter::new(file));
    for object in objects {
        let size: i64 = transaction
            .ask_one(
                "SELECT pg_catalog.lo_lseek64(fd, 0, 2), pg_catalog.lo_close(fd) FROM (SELECT pg_catalog.lo_open($1, $2) AS fd OFFSET 0) o",
                &[&object.oid, &INV_READ],
            )
            .doing(doing)?
            .get(0);
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(size).unwrap_or_default());
        header.set_mode(0o600);
        let directory = DIRECTORIES[usize::from(object.owner != subject.username)];
        let reader = Pieces { transaction, oid: object.oid, at: 0, piece: Vec::new(), used: 0 };
        tar.append_data(&mut header, format!("{directory}/{}", object.oid), reader).doing(doing)?;
    }
    tar.into_inner().and_then(|mut file| file.flush()).doing(doing)
}

/// One large object, a piece at a time.
struct Pieces<'a, 'b> {
    transaction: &'a mut Transaction<'b>,
    oid: u32,
    at: i64,
    piece: Vec<u8>,
    used: usize,
}

impl Read for Pieces<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.piece.len() {
            let length = i32::try_from(PIECE).unwrap_or(i32::MAX);
            let row = self
                .transaction
                .ask_one("SELECT pg_catalog.lo_get($1, $2, $3)", &[&self.oid, &self.at, &length])
                .map_err(io::Error::other)?;
            self.piece = row.get(0);
            self.at += i64::try_from(self.piece.len()).unwrap_or_default();
            self.used = 0;
        }
        let n = buffer.len().min(self.piece.len() - self.used);
        buffer[..n].copy_from_slice(&self.piece[self.used..self.used + n]);
        self.used += n;
        Ok(n)
    }
}

/// Rows of the tenant's hold their OIDs, so they come back under these or not at all: asked before anything is made.
///
/// # Errors
/// Which of them somebody has, and who; or what is wrong with the file.
pub(super) fn refuse_taken(client: &mut Client, file: &Path) -> Result<(), Error> {
    const NAMED: usize = 5;
    let doing = || format!("checking whether the OIDs of the large objects of {} are free", file.display());
    let mut tar = tar::Archive::new(BufReader::new(private::open_regular(file).doing(doing())?));
    let mut oids: Vec<u32> = Vec::new();
    for entry in tar.entries().doing(doing())? {
        oids.push(place(&entry.doing(doing())?, file)?.1);
    }
    let taken = "SELECT m.oid, coalesce(r.rolname::text, m.lomowner::text) AS owner FROM pg_catalog.pg_largeobject_metadata m \
                 LEFT JOIN pg_catalog.pg_roles r ON r.oid = m.lomowner WHERE m.oid = ANY ($1) ORDER BY m.oid";
    let taken = client.ask(taken, &[&oids]).doing(doing())?;
    let Some(first) = taken.first() else { return Ok(()) };
    let named = taken.iter().take(NAMED).map(|row| format!("{} of {:?}", row.get::<_, u32>(0), row.get::<_, &str>(1)));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = if taken.len() > NAMED { format!(" and {} more", taken.len() - NAMED) } else { String::new() };
    let oid: u32 = first.get(0);
    Err(Error::refused(
        format!(
            "{} of the {} large objects in the archive have OIDs that are already taken here: {named}{more}; nothing was created",
            taken.len(),
            oids.len()
        ),
        format!(
            "restore into another database; or have the owner of each move it: SELECT lo_from_bytea(0, lo_get({oid})), \
             the new OID in place of the old one wherever it is stored, SELECT lo_unlink({oid})"
        ),
    ))
}

/// Whoever restores them calls this as a member of the tenants' group role. docs/isolation.md has a way to keep tenants from it.
///
/// # Errors
/// That they could not be made, with what to type.
pub(super) fn refuse_without_lo_create(client: &mut Client, group: &str) -> Result<(), Error> {
    let query = "SELECT pg_catalog.has_function_privilege(g.rolname, 'pg_catalog.lo_create(oid)', 'EXECUTE') \
                 FROM pg_catalog.pg_roles g WHERE g.rolname = $1::text::name";
    let may = client.ask_opt(query, &[&group]).doing("checking who may create large objects")?;
    if may.is_none_or(|row| row.get(0)) {
        return Ok(());
    }
    let (function, group) = ("FUNCTION pg_catalog.lo_create(oid)", ident(group));
    Err(Error::refused(
        "the archive contains large objects, and tenants may not call pg_catalog.lo_create(oid) in this database; nothing was created",
        format!(
            "as a superuser, in this database: GRANT EXECUTE ON {function} TO {group}   restore, and then: REVOKE EXECUTE ON {function} FROM {group}"
        ),
    ))
}

/// Whose a member of the archive is, and its OID.
fn place<R: Read>(entry: &tar::Entry<'_, R>, file: &Path) -> Result<(String, u32), Error> {
    let path = entry.path().doing(format!("reading {}", file.display()))?.to_string_lossy().into_owned();
    let known = path.split_once('/').and_then(|(directory, oid)| Some((directory.to_owned(), oid.parse().ok()?)));
    match known {
        Some(known) if entry.header().entry_type().is_file() => Ok(known),
        _ => Err(Error::Refused { message: format!("{}: {path} is not a large object", file.display()), hint: None }),
    }
}

/// Makes them again under their own OIDs, which rows of the tenant's hold. So many in a transaction: each that gets its
/// owner takes a lock.
///
/// # Errors
/// What PostgreSQL answered (42710 or 23505: somebody else's has that OID now), or what is wrong with the file.
pub(super) fn restore(
    client: &mut Client,
    file: &Path,
    [username, owner]: [&str; 2],
    at_once: i64,
) -> Result<(), Error> {
    let doing = || format!("restoring the large objects of {}", file.display());
    let mut tar = tar::Archive::new(BufReader::new(private::open_regular(file).doing(doing())?));
    let mut transaction = client.transaction().doing(doing())?;
    let mut made = 0;
    for entry in tar.entries().doing(doing())? {
        if made == at_once {
            transaction.commit().doing(doing())?;
            fail_point!("between_large_objects");
            transaction = client.transaction().doing(doing())?;
            made = 0;
        }
        made += 1;
        let mut entry = entry.doing(doing())?;
        let (directory, oid) = place(&entry, file)?;
        transaction.execute("SELECT pg_catalog.lo_create($1)", &[&oid]).doing(doing())?;
        let mut at = 0_i64;
        let mut piece = Vec::with_capacity(PIECE);
        while entry.by_ref().take(PIECE as u64).read_to_end(&mut piece).doing(doing())? > 0 {
            transaction.execute("SELECT pg_catalog.lo_put($1, $2, $3)", &[&oid, &at, &piece]).doing(doing())?;
            at += i64::try_from(piece.len()).unwrap_or_default();
            piece.clear();
        }
        let to = ident(if directory == DIRECTORIES[0] { username } else { owner });
        transaction.batch_execute(&format!("ALTER LARGE OBJECT {oid} OWNER TO {to}")).doing(doing())?;
    }
    transaction.commit().doing(doing())
}

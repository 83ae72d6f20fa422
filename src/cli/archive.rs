//! `archive TENANT`: a dump and its manifest, of a tenant in use.

use std::sync::OnceLock;

use super::args::{ArchiveArgs, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{interrupt, progress, session};
use crate::core::model::{Observed, Registered, State, TenantKey};
use crate::core::plan::{Plan, disk_short};
use crate::core::render::escape::visible;
use crate::core::render::json::pretty;
use crate::core::words::{count, size};
use crate::engine::apply::{Apply, Live, Lock, Recorded, check_deputy, check_registry};
use crate::engine::archive::{Archive, Programs, Proved, free_space};
use crate::engine::inspect::{self, Sizes};

pub fn run(global: &Global, args: &ArchiveArgs, out: &mut Output) -> Result<Exit, Failure> {
    interrupt::watch();
    interrupt::or_interrupted(archive(global, args, out), global)
}

fn archive(global: &Global, args: &ArchiveArgs, out: &mut Output) -> Result<Exit, Failure> {
    let mut session = session::connect(global)?;
    // No apply meanwhile: it could rename, or drop, what is being read.
    let lock = Lock::take(&mut session.client, &session.target, args.lock.lock_timeout.unwrap_or_default())?;
    let mut observed = session.observe(Sizes::Removed)?;
    let unknown = || {
        Failure::refused(
            format!("tenant {:?} is not registered in this database", args.tenant),
            "tenantry list shows the tenants; one that is only declared has nothing to archive yet",
        )
    };
    let key = TenantKey::new(args.tenant.as_str()).map_err(|_| unknown())?;
    session.selects_something(&observed)?;
    out.talks_to(&session.place(&observed));
    let registry = observed.registry.as_ref().ok_or_else(unknown)?;
    let row = registry.tenants.get(&key).ok_or_else(unknown)?;
    session.must_select(&key)?;
    if let Some((message, hint)) = registry.is_older() {
        return Err(Failure::refused(message, hint));
    }
    refuse_what_is_not_whole(&observed, &key, row)?;
    let subject = row.subject(&key);
    check_registry(&observed, &Plan::default())?;
    check_deputy(&observed, &subject)?;
    let programs = Programs::find(observed.server.major().unsigned_abs())?;
    let dir = args.out.clone().unwrap_or_else(|| session.project.archive_dir());
    let bytes = inspect::measure(&mut session.client, &mut observed, &subject)?;
    if let Some(short) = free_space(&dir).and_then(|free| disk_short(bytes, free, &dir)) {
        out.note(&format!("warning: {short}"));
    }
    let apply = Apply {
        target: &session.target,
        lock: &lock,
        store: session.store.as_ref(),
        desired: &session.project.desired,
        server: &observed.server,
        moved: false,
        mark: OnceLock::new(),
        archive_dir: &dir,
        parallelism: 1,
        stop: &interrupt::STOP,
        recorded: &Recorded::default(),
        underway: &interrupt::UNDERWAY,
        max_failures: 0,
        // Nobody is put out for a copy.
        end_blockers: false,
        ending: None,
        usernames: &observed.usernames(),
        said: &progress::aside("archive", out.quiet),
        progress: &|_| {},
    };
    let live = Live { apply: &apply, observed: &observed, programs: &programs, subject: &subject };
    let archive = live.run(&mut session.client)?;
    out.print(&match out.format {
        Format::Json => json(&archive),
        Format::Text | Format::Markdown => text(&archive),
    })?;
    Ok(Exit::Ok)
}

fn refuse_what_is_not_whole(observed: &Observed, key: &TenantKey, row: &Registered) -> Result<(), Failure> {
    let name = &row.schema;
    let what = match (row.state, observed.schemas.get(name)) {
        (State::Active | State::Retained, Some(found)) => match row.schema_oid.filter(|oid| *oid != found.oid) {
            None => return Ok(()),
            Some(oid) => format!(
                "its schema was registered with the OID {oid}, but schema {name:?} has {}: it is a different schema of that name",
                found.oid
            ),
        },
        (State::Active | State::Retained, None) => format!("its schema {name:?} does not exist"),
        (state, _) => format!("it is {}, and its schema is {name:?}", state.as_str()),
    };
    Err(Failure::refused(format!("tenant {key} is incomplete: {what}"), "tenantry plan says what is wrong"))
}

fn text(archive: &Archive) -> String {
    let manifest = &archive.manifest;
    let size = size(i64::try_from(manifest.dump.size).unwrap_or(i64::MAX));
    let mut text = format!(
        "Archive: {} in {}\n  {} of schema {}, {}, {size}\n  sha256 {}\n",
        manifest.tenant,
        visible(&archive.dump_path.display().to_string()),
        count(manifest.tables.len(), "table"),
        visible(&manifest.schema),
        count(usize::try_from(manifest.rows()).unwrap_or(usize::MAX), "row"),
        manifest.dump.sha256,
    );
    if let Some(large) = &manifest.large_objects {
        text.push_str(&format!("  {} in {}\n", count(large.count, "large object"), large.digest.file));
    }
    if manifest.large_objects_left_out > 0 {
        text.push_str(&format!(
            "  {} of {} left out: other tenants share that role, so there is no telling whose they are\n",
            count(manifest.large_objects_left_out, "large object"),
            visible(&manifest.owner),
        ));
    }
    text.push_str(&match (manifest.proved, &manifest.proved_no_more_because) {
        (Proved::Rows, _) => "  tested: restored with all rows, then rolled back\n".to_owned(),
        (Proved::Structure, because) => {
            format!(
                "  tested: restored without rows, then rolled back: {}\n",
                visible(because.as_deref().unwrap_or_default())
            )
        }
        (Proved::Contents, because) => {
            format!("  read back, but not tested further: {}\n", visible(because.as_deref().unwrap_or_default()))
        }
    });
    text
}

fn json(archive: &Archive) -> String {
    pretty(&serde_json::json!({
        "format_version": "1",
        "tenant": archive.manifest.tenant,
        "dump": archive.dump_path,
        "manifest": archive.manifest_path,
        "size": archive.manifest.dump.size,
        "sha256": archive.manifest.dump.sha256,
        "tables": archive.manifest.tables,
        "proved": archive.manifest.proved,
        "proved_no_more_because": archive.manifest.proved_no_more_because,
        "large_objects_left_out": archive.manifest.large_objects_left_out,
    }))
}

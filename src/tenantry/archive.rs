//! A tenant in use, dumped.

use std::collections::BTreeSet;
use std::path::Path;

use super::carrying::Carrying;
use super::error::{Error, Guard, Guarded, Refusal};
use super::events::Events;
use super::guards;
use super::options::Limits;
use super::session::Session;
use crate::core::model::{Observed, Registered, State, TenantKey};
use crate::core::plan::{Plan, disk_short};
use crate::engine::apply::{Live, Lock, check_deputy};
use crate::engine::archive::{Archive, free_space};
use crate::engine::inspect::{self, Sizes};

/// An archive that is complete.
pub struct Archived {
    pub archive: Archive,
    /// Where the tenant is, and who looked.
    pub place: String,
}

/// No apply meanwhile: it could rename, or drop, what is being read.
pub(super) fn run(
    mut session: Session,
    tenant: &str,
    dir: Option<&Path>,
    events: &dyn Events,
) -> Result<Archived, Error> {
    let ground = &session.ground;
    let lock = Lock::take(&mut session.client, &ground.target, ground.options.lock_timeout).guarded(Guard::Lock)?;
    let mut observed = session.observe(Sizes::Removed)?;
    let Session { ground, client } = &mut session;
    let unknown = || {
        Refusal::new(
            Guard::Registered { tenant: tenant.to_owned() },
            format!("tenant {tenant:?} is not registered in this database"),
            "tenantry list shows the tenants; one that is only declared has nothing to archive yet",
        )
    };
    let key = TenantKey::new(tenant).map_err(|_| unknown())?;
    ground.selects_something(&observed)?;
    let registry = observed.registry.as_ref().ok_or_else(unknown)?;
    let row = registry.tenants.get(&key).ok_or_else(unknown)?;
    ground.filter.must_select(&key)?;
    if let Some((message, hint)) = registry.is_older() {
        return Err(Refusal::new(Guard::Registry, message, hint).into());
    }
    is_whole(&observed, &key, row)?;
    let subject = row.subject(&key);
    guards::registry(&observed, &Plan::default())?;
    check_deputy(&observed, &subject).guarded(Guard::Admin)?;
    let programs = ground.programs(observed.server.major().unsigned_abs())?;
    let dir = dir.map_or_else(|| ground.project.archive_dir(), Path::to_path_buf);
    let bytes = inspect::measure(client, &mut observed, &subject)?;
    if let Some(short) = free_space(&dir).and_then(|free| disk_short(bytes, free, &dir)) {
        events.note(&format!("warning: {short}"));
    }
    let place = ground.place(&observed);
    let carrying = Carrying {
        session: &mut session,
        lock: &lock,
        observed: &observed,
        opened: None,
        programs: None,
        archive_dir: dir,
        // Nobody is put out for a copy.
        limits: Limits::default(),
        recorded: BTreeSet::new(),
    };
    let archive = carrying.run(events, |apply, client| {
        Live { apply, observed: &observed, programs: &programs, subject: &subject }.run(client)
    })?;
    Ok(Archived { archive, place })
}

fn is_whole(observed: &Observed, key: &TenantKey, row: &Registered) -> Result<(), Refusal> {
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
    let guard = Guard::Whole { tenant: key.clone() };
    Err(Refusal::new(guard, format!("tenant {key} is incomplete: {what}"), "tenantry plan says what is wrong"))
}

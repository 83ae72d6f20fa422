//! The fleet's shapes compared with what the migrations create.
//!
//! PostgreSQL makes a digest of each schema, a hundred in a transaction; only the schemas whose digest is not the
//! reference's are read in full, and those decide.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, Transaction};

use super::Deep;
use super::reference::Reference;
use crate::core::migrations::Version;
use crate::core::model::{Access, History, Registered, Tenant, TenantKey};
use crate::core::plan::action::Rights;
use crate::core::shape::{Difference, Names, Report, Shape, compare};
use crate::engine::error::{Error, error_chain};
use crate::engine::inspect;
use crate::engine::inspect::shape::{Digest, Subject, digests, rows};

/// Reading a view's definition locks it until the transaction ends.
const CHUNK: usize = 100;

/// A tenant as it is there, under the names it has now.
struct Seen<'a> {
    tenant: &'a Tenant,
    names: Names,
    /// The username owns all, so that what it made is not told by its owner.
    owns: bool,
    /// What its username made is not its own.
    adopted: bool,
}

impl Seen<'_> {
    fn subject(&self) -> Subject {
        Subject {
            schema: self.names.schema.clone(),
            username: self.names.username.clone(),
            owner: self.names.owner.clone(),
            strict: self.tenant.strict_shape || self.adopted,
        }
    }

    /// The tenant's own things, by their titles; not those that the migrations made.
    fn leave_out(&self, shape: &mut Shape, reference: &Reference, own: &[String]) {
        let wanted = reference.names.reference_for(&reference.shape, &self.names, shape);
        shape.objects.retain(|name, _| {
            let title = name.to_string();
            wanted.has(&title) || !own.contains(&title)
        });
    }

    /// What differs, and what does not count as drift.
    fn compare(&self, shape: &Shape, reference: &Reference, own: Vec<String>) -> (Vec<Difference>, Vec<String>) {
        let wanted = reference.names.reference_for(&reference.shape, &self.names, shape);
        let (mut differences, partitions) = compare(shape, &wanted);
        let (its, mut own): (Vec<String>, Vec<String>) = own.into_iter().partition(|title| wanted.has(title));
        // What the migrations created still belongs to them if it was given to the username.
        let given = |object| Difference::owner(object, &self.names.username, &self.names.owner);
        differences.extend(its.into_iter().map(given));
        own.extend(partitions.iter().map(ToString::to_string));
        if self.owns && !self.tenant.strict_shape {
            let extra = differences.extract_if(.., |difference| difference.is_extra_object());
            own.extend(extra.map(|difference| difference.object));
        }
        (differences, own)
    }
}

/// What became of one tenant's look.
type Found = Result<(Vec<Difference>, Vec<String>), String>;

impl Deep<'_> {
    /// The fleet's shapes, grouped by what differs. A tenant whose shape cannot be seen is in the report with the reason.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn shapes(&self, client: &mut Client) -> Result<Report, Error> {
        let mut unseen = Vec::new();
        let mut by_versions: BTreeMap<BTreeSet<Version>, Vec<Seen<'_>>> = BTreeMap::new();
        for (tenant, row) in self.tenants() {
            match self.seen(tenant, row) {
                Ok(Some((versions, seen))) => by_versions.entry(versions).or_default().push(seen),
                // There is no schema: the plan says so.
                Ok(None) => {}
                Err(reason) => unseen.push((tenant.key.clone(), reason)),
            }
        }
        let mut found = Vec::new();
        for (versions, tenants) in &by_versions {
            match self.reference(client, versions) {
                Ok(reference) => {
                    for (tenant, result) in self.hold_against(client, &reference, tenants)? {
                        match result {
                            Ok((differences, own)) => found.push((tenant, differences, own)),
                            Err(reason) => unseen.push((tenant, reason)),
                        }
                    }
                }
                Err(error) => {
                    let reason = format!("what the migrations create could not be determined: {error}");
                    unseen.extend(tenants.iter().map(|seen| (seen.tenant.key.clone(), reason.clone())));
                }
            }
        }
        Ok(Report::new(found, unseen))
    }

    /// One tenant's shape and what the migrations give.
    ///
    /// # Errors
    /// Why it could not be seen.
    pub fn shape(&self, client: &mut Client, key: &TenantKey) -> Result<(Shape, Shape), Error> {
        let refused =
            |why: String| Error::Refused { message: format!("the shape of {key} cannot be seen: {why}"), hint: None };
        let found = self.tenants().find(|(tenant, _)| tenant.key == *key);
        let (tenant, row) = found.ok_or_else(|| refused("it does not exist yet".into()))?;
        let seen = self.seen(tenant, row).map_err(refused)?;
        let (versions, seen) = seen.ok_or_else(|| refused("its schema does not exist".into()))?;
        let reference = self.reference(client, &versions).map_err(|error| refused(error.to_string()))?;
        let shape = self.apart(client, std::slice::from_ref(&seen), |transaction| {
            let subject = seen.subject();
            let own = digests(transaction, std::slice::from_ref(&subject), &self.tables(), &[])?;
            let own = own.into_values().next().unwrap_or_default().own;
            let found = rows(transaction, &[Subject { strict: true, ..subject }], &self.tables(), None)?;
            let mut shape = found.into_values().next().unwrap_or_default();
            seen.leave_out(&mut shape, &reference, &own);
            Ok(shape)
        })?;
        let wanted = reference.names.reference_for(&reference.shape, &seen.names, &shape);
        Ok((shape, wanted))
    }

    pub(super) fn tables(&self) -> Vec<&str> {
        self.desired.migrations.history_tables()
    }

    /// The versions the tenant has, and its names; nothing without a schema.
    fn seen<'t>(&self, tenant: &'t Tenant, row: &Registered) -> Result<Option<(BTreeSet<Version>, Seen<'t>)>, String> {
        let Some(schema) = self.observed.schemas.get(&row.schema) else { return Ok(None) };
        match &schema.history {
            History::Untrusted(why) => return Err(format!("its history cannot be trusted: {why}")),
            History::Locked(by) => return Err(format!("its history is locked by {}", by.who)),
            _ => {}
        }
        let adoption = self.observed.adoptions.get(&tenant.key);
        let mut versions = adoption.map(|adoption| adoption.versions(&self.desired.migrations)).unwrap_or_default();
        for applied in schema.history.applied() {
            if self.desired.migrations.get(applied.version).is_none() {
                let title = self.desired.migrations.format.title(applied.version, &applied.name);
                return Err(format!("{title} was applied but has no file"));
            }
            versions.insert(applied.version);
        }
        let names = Names { schema: row.schema.clone(), username: row.username.clone(), owner: row.owner.clone() };
        let adopted = adoption.is_some();
        // Whoever owns it before it is adopted, what is there is its owner's afterwards.
        let owns = if adopted { tenant.access } else { row.access } == Access::Owner;
        Ok(Some((versions, Seen { tenant, names, owns, adopted })))
    }

    fn hold_against(
        &self,
        client: &mut Client,
        reference: &Reference,
        tenants: &[Seen<'_>],
    ) -> Result<Vec<(TenantKey, Found)>, Error> {
        let mut found = Vec::with_capacity(tenants.len());
        for chunk in tenants.chunks(CHUNK) {
            match self.chunk(client, reference, chunk) {
                Ok(results) => found.extend(results),
                Err(error) if error.is_of_the_line() => return Err(error),
                // A tenant that holds a view locked, or changes one while we look, must not hide the others.
                Err(_) => {
                    for one in chunk {
                        match self.chunk(client, reference, std::slice::from_ref(one)) {
                            Ok(results) => found.extend(results),
                            Err(error) if error.is_of_the_line() => return Err(error),
                            Err(error) => found.push((one.tenant.key.clone(), Err(error_chain(&error)))),
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    fn chunk(
        &self,
        client: &mut Client,
        reference: &Reference,
        chunk: &[Seen<'_>],
    ) -> Result<Vec<(TenantKey, Found)>, Error> {
        let subjects: Vec<Subject> = chunk.iter().map(Seen::subject).collect();
        self.apart(client, chunk, |transaction| {
            let mut digests = digests(transaction, &subjects, &self.tables(), &reference.named)?;
            let mut named = if reference.named.is_empty() {
                BTreeMap::new()
            } else {
                rows(transaction, &subjects, &self.tables(), Some(&reference.named))?
            };
            let mut results = Vec::with_capacity(chunk.len());
            let mut odd = Vec::new();
            for seen in chunk {
                let Digest { digest, own } = digests.remove(&seen.names.schema).unwrap_or_default();
                let named = named.remove(&seen.names.schema).unwrap_or_default();
                if digest == reference.digest && reference.fits(&named, &seen.names) {
                    results.push((seen.tenant.key.clone(), Ok((Vec::new(), own))));
                } else {
                    odd.push((seen, own));
                }
            }
            // With what the username owns: it may be the migrations'.
            let strict = |seen: &Seen<'_>| Subject { strict: true, ..seen.subject() };
            let subjects: Vec<Subject> = odd.iter().map(|(seen, _)| strict(seen)).collect();
            let mut shapes = rows(transaction, &subjects, &self.tables(), None)?;
            for (seen, own) in odd {
                let mut shape = shapes.remove(&seen.names.schema).unwrap_or_default();
                seen.leave_out(&mut shape, reference, &own);
                results.push((seen.tenant.key.clone(), Ok(seen.compare(&shape, reference, own))));
            }
            Ok(results)
        })
    }

    fn apart<T>(
        &self,
        client: &mut Client,
        of: &[Seen<'_>],
        look: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let doing = "reading the shapes of the schemas";
        // In a schema that is not ours to USE yet every name would be spelled with the schema.
        let owners: BTreeSet<&String> = of.iter().filter(|seen| seen.adopted).map(|seen| &seen.names.owner).collect();
        let owners: Vec<String> = owners.into_iter().cloned().collect();
        match Rights::lacking(self.observed, &owners) {
            Some(rights) => inspect::apart_with_rights(client, self.desired, doing, &rights.take(), look),
            None => inspect::apart(client, self.desired, doing, look),
        }
    }
}

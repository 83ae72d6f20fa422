//! KV version 2: versions, check-and-set and metadata are the server's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;
use vaultrs::api::kv2::requests::{ReadSecretRequest, SetSecretMetadataRequest, SetSecretRequestOptions};
use vaultrs::api::kv2::responses::{ReadSecretMetadataResponse, ReadSecretResponse, SecretVersionMetadata};
use vaultrs::error::ClientError;
use vaultrs::{api, kv2};

use super::session::{Access, Refusal};
use super::{VaultStore, each, endpoints, split};
use crate::core::model::secret::{Mark, Secret, SecretHead};
use crate::engine::secrets::{Found, SecretError, document};
use std::sync::atomic::Ordering;

/// Up to so many secrets of a folder are asked for one by one: the folder may hold thousands of others.
const FEW: usize = 8;
/// Secrets in one answer of OpenBao's detailed list.
const PAGE: usize = 1000;

type Custom = HashMap<String, String>;

impl VaultStore {
    pub(super) fn v2_heads(&self, paths: &[String]) -> Result<BTreeMap<String, SecretHead>, SecretError> {
        let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for path in paths {
            let (folder, name) = split(path);
            folders.entry(folder).or_default().insert(name);
        }
        let mut heads = BTreeMap::new();
        let mut single: Vec<String> = Vec::new();
        for (folder, names) in folders {
            let full = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            if names.len() <= FEW {
                single.extend(names.iter().map(|name| full(name)));
            } else if let Some(listed) = self.list_in_detail(folder, &names)? {
                heads.extend(listed.into_iter().map(|(name, head)| (full(&name), head)));
            } else {
                match self.list_names(folder)? {
                    Some(there) => {
                        single.extend(names.iter().filter(|name| there.contains(**name)).map(|name| full(name)))
                    }
                    None => single.extend(names.iter().map(|name| full(name))),
                }
            }
        }
        heads.extend(each(&single, |path| Ok(self.metadata(path)?.and_then(|metadata| head_of(&metadata))))?);
        self.name_the_unfinished(&mut heads)?;
        Ok(heads)
    }

    /// A write that was interrupted before its metadata: the data says whose it is.
    fn name_the_unfinished(&self, heads: &mut BTreeMap<String, SecretHead>) -> Result<(), SecretError> {
        let unnamed: Vec<String> =
            heads.iter().filter(|(_, head)| head.tenant.is_none()).map(|(path, _)| path.clone()).collect();
        let named = each(&unnamed, |path| match self.v2_read(path) {
            Ok(Found::Readable(head, _) | Found::Foreign { head, .. }) => Ok(Some(head)),
            Ok(Found::Absent) => Ok(None),
            // Somebody else's folder, perhaps. The head alone has to do.
            Err(SecretError::Forbidden { .. }) => Ok(heads.get(path).cloned()),
            Err(error) => Err(error),
        })?;
        heads.extend(named);
        Ok(())
    }

    /// `None` where the server has no such list, or does not give it to us.
    fn list_in_detail(
        &self,
        folder: &str,
        names: &BTreeSet<&str>,
    ) -> Result<Option<BTreeMap<String, SecretHead>>, SecretError> {
        if self.lists_names_only.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mount = &self.mount;
        let path = format!("{mount}/detailed-metadata/{folder}/");
        let access = Access { path: &path, capability: super::PROBE };
        let (mut heads, mut after) = (BTreeMap::new(), String::new());
        loop {
            let page = self.session.call(access, async |client| {
                api::exec_with_result(client, endpoints::detailed_metadata(mount, folder, &after, PAGE)).await
            })?;
            let page = match page {
                Ok(page) => page,
                Err(refusal) => {
                    // A folder that is not there is a 404 as well, without a reason.
                    let hidden = refusal.code != 404 || !refusal.reasons.is_empty();
                    self.lists_names_only.fetch_or(hidden, Ordering::Relaxed);
                    return Ok(None);
                }
            };
            let full = page.keys.len() >= PAGE;
            let last = page.keys.last().cloned().unwrap_or_default();
            for (name, metadata) in page.key_info {
                let head = metadata.as_ref().and_then(head_of);
                if let (true, Some(head)) = (names.contains(name.as_str()), head) {
                    heads.insert(name, head);
                }
            }
            if !full || last == after {
                return Ok(Some(heads));
            }
            after = last;
        }
    }

    /// `None` where the policy does not let us list.
    fn list_names(&self, folder: &str) -> Result<Option<BTreeSet<String>>, SecretError> {
        let mount = &self.mount;
        let path = format!("{mount}/metadata/{folder}/");
        let access = Access { path: &path, capability: super::PROBE };
        match self.session.call(access, async |client| kv2::list(client, mount, folder).await)? {
            Ok(names) => Ok(Some(names.into_iter().collect())),
            Err(Refusal { code: 404, reasons }) if reasons.is_empty() => Ok(Some(BTreeSet::new())),
            Err(Refusal { code: 403, .. }) => Ok(None),
            Err(refusal) => Err(self.refused(refusal, &path)),
        }
    }

    fn metadata(&self, path: &str) -> Result<Option<ReadSecretMetadataResponse>, SecretError> {
        let mount = &self.mount;
        let asked = format!("{mount}/metadata/{path}");
        let access = Access { path: &asked, capability: "read" };
        match self.session.call(access, async |client| kv2::read_metadata(client, mount, path).await)? {
            Ok(metadata) => Ok(Some(metadata)),
            Err(Refusal { code: 404, reasons }) if reasons.is_empty() => Ok(None),
            Err(refusal) => Err(self.refused(refusal, &asked)),
        }
    }

    pub(super) fn v2_read(&self, path: &str) -> Result<Found, SecretError> {
        self.read_at(path, None)
    }

    /// `None` when it is deleted, destroyed or pushed out by newer ones, or is not a secret of ours.
    pub(super) fn v2_read_version(&self, path: &str, version: u64) -> Result<Option<Secret>, SecretError> {
        match self.read_at(path, Some(version)) {
            Ok(Found::Readable(_, secret)) => Ok(Some(secret)),
            Ok(Found::Absent | Found::Foreign { .. }) | Err(SecretError::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_at(&self, path: &str, version: Option<u64>) -> Result<Found, SecretError> {
        let mount = &self.mount;
        let asked = format!("{mount}/data/{path}");
        let access = Access { path: &asked, capability: "read" };
        let answer: Result<ReadSecretResponse, _> = self.session.call(access, async |client| {
            let mut request = ReadSecretRequest::builder();
            request.mount(mount).path(path);
            if let Some(version) = version {
                request.version(version);
            }
            let request = request.build();
            api::exec_with_result(client, request.map_err(|_| ClientError::InvalidUpdateParameter)?).await
        })?;
        let answer = match answer {
            Ok(answer) => answer,
            // Also for a version that was soft-deleted or destroyed; its metadata comes along and is of no use here.
            Err(Refusal { code: 404, reasons }) if reasons.is_empty() => return Ok(Found::Absent),
            Err(refusal) => return Err(self.refused(refusal, &asked)),
        };
        let mut head = head(answer.metadata.version, &answer.metadata.created_time, answer.metadata.custom_metadata);
        // The data is written first, so where the two differ it is the newer.
        let said = document::head(&answer.data);
        head.tenant = said.tenant.or(head.tenant);
        head.database = said.database.or(head.database);
        Ok(document::found(head, &answer.data))
    }

    pub(super) fn v2_write(
        &self,
        path: &str,
        secret: &Secret,
        expected: Option<&str>,
    ) -> Result<SecretHead, SecretError> {
        let conflict = |found: Option<u64>| SecretError::CheckAndSet {
            path: path.to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(|version| version.to_string()),
        };
        let mut replaces = 0;
        if let Some(expected) = expected {
            // The server's check-and-set takes a soft-deleted version for current; for us it is gone.
            let live = self.metadata(path)?.as_ref().and_then(live_version);
            replaces = match live {
                Some(live) if live.to_string() == expected => live,
                live => return Err(conflict(live)),
            };
        }
        loop {
            match self.set(path, secret, replaces)? {
                Some(written) => return self.describe(path, secret, written),
                None => {
                    let metadata = self.metadata(path)?;
                    let current = metadata.as_ref().map_or(0, |metadata| metadata.current_version);
                    match metadata.as_ref().and_then(live_version) {
                        // Nothing lives there, but versions were counted: the check is against their number.
                        None if expected.is_none() && replaces != current => replaces = current,
                        None => return Err(conflict(None)),
                        Some(live) => {
                            return self.unless_ours(path, secret, live).unwrap_or_else(|| Err(conflict(Some(live))));
                        }
                    }
                }
            }
        }
    }

    /// `None` when the check fails.
    fn set(&self, path: &str, secret: &Secret, replaces: u64) -> Result<Option<SecretVersionMetadata>, SecretError> {
        let mount = &self.mount;
        let asked = format!("{mount}/data/{path}");
        let access = Access { path: &asked, capability: if replaces == 0 { "create" } else { "update" } };
        let document = Value::Object(secret.to_json());
        let options = SetSecretRequestOptions { cas: u32::try_from(replaces).unwrap_or(u32::MAX) };
        let answer = self.session.call(access, async |client| {
            kv2::set_with_options(client, mount, path, &document, options.clone()).await
        })?;
        match answer {
            Ok(written) => Ok(Some(written)),
            Err(refusal) if refusal.code == 400 && refusal.says("check-and-set") => Ok(None),
            Err(refusal) => Err(self.refused(refusal, &asked)),
        }
    }

    /// A write whose answer was lost is sent again, and meets itself.
    fn unless_ours(&self, path: &str, secret: &Secret, live: u64) -> Option<Result<SecretHead, SecretError>> {
        match self.v2_read(path) {
            Ok(Found::Readable(head, found)) if found.same_as(secret) && head.version == live.to_string() => {
                let custom = self.metadata(path).map(|metadata| metadata.and_then(|metadata| metadata.custom_metadata));
                Some(custom.and_then(|custom| {
                    self.set_custom(path, secret, custom)?;
                    Ok(SecretHead { managed_by: Some(Secret::MANAGED_BY.to_owned()), ..head })
                }))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }

    fn describe(&self, path: &str, secret: &Secret, written: SecretVersionMetadata) -> Result<SecretHead, SecretError> {
        fail_point!("before_secret_metadata");
        let custom = self.set_custom(path, secret, written.custom_metadata)?;
        Ok(head(written.version, &written.created_time, Some(custom)))
    }

    /// Keeps what others noted there. Sends nothing when all is said already.
    fn set_custom(&self, path: &str, secret: &Secret, noted: Option<Custom>) -> Result<Custom, SecretError> {
        let mut custom = noted.clone().unwrap_or_default();
        let ours =
            [("managed_by", Secret::MANAGED_BY), ("tenant", &secret.tenant), ("database", &secret.fields.database)];
        let ours = ours.into_iter().chain(secret.mark.entries());
        custom.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
        if noted.as_ref() != Some(&custom) {
            self.note(path, &custom)?;
        }
        Ok(custom)
    }

    /// The server has no check-and-set for metadata: they are read once more, and what is not meant is left alone.
    pub(super) fn v2_mark(&self, path: &str, mark: &Mark, expected: &str) -> Result<(), SecretError> {
        let metadata = self.metadata(path)?;
        let live = metadata.as_ref().and_then(live_version).map(|version| version.to_string());
        if live.as_deref() != Some(expected) {
            let expected = Some(expected.to_owned());
            return Err(SecretError::CheckAndSet { path: path.to_owned(), expected, found: live });
        }
        let mut custom = metadata.and_then(|metadata| metadata.custom_metadata).unwrap_or_default();
        custom.extend(mark.entries().map(|(key, value)| (key.to_owned(), value.to_owned())));
        self.note(path, &custom)
    }

    fn note(&self, path: &str, custom: &Custom) -> Result<(), SecretError> {
        let mount = &self.mount;
        let asked = format!("{mount}/metadata/{path}");
        let access = Access { path: &asked, capability: "update" };
        let answer = self.session.call(access, async |client| {
            let mut request = SetSecretMetadataRequest::builder();
            kv2::set_metadata(client, mount, path, Some(request.custom_metadata(custom.clone()))).await
        })?;
        answer.map_err(|refusal| self.refused(refusal, &asked))
    }

    /// The server has no check-and-set for this: between look and deed is a moment in which somebody could write.
    pub(super) fn v2_delete(&self, path: &str, expected: Option<&str>) -> Result<(), SecretError> {
        if let Some(expected) = expected {
            let Some(metadata) = self.metadata(path)? else { return Ok(()) };
            let live = live_version(&metadata);
            match live {
                Some(live) if live.to_string() != expected => {
                    return Err(SecretError::CheckAndSet {
                        path: path.to_owned(),
                        expected: Some(expected.to_owned()),
                        found: Some(live.to_string()),
                    });
                }
                // Soft-deleted by somebody. Older versions still hold passwords; if they are ours they go.
                None if metadata.current_version.to_string() != expected => return Ok(()),
                _ => {}
            }
        }
        let mount = &self.mount;
        let asked = format!("{mount}/metadata/{path}");
        let access = Access { path: &asked, capability: "delete" };
        match self.session.call(access, async |client| kv2::delete_metadata(client, mount, path).await)? {
            Ok(()) => Ok(()),
            Err(Refusal { code: 404, reasons }) if reasons.is_empty() => Ok(()),
            Err(refusal) => Err(self.refused(refusal, &asked)),
        }
    }
}

/// The current version, unless it is gone. `delete_version_after` sets a time of deletion that is yet to come.
fn live_version(metadata: &ReadSecretMetadataResponse) -> Option<u64> {
    let current = metadata.versions.get(&metadata.current_version.to_string())?;
    let gone = current.destroyed || current.deletion_time.parse::<Timestamp>().is_ok_and(|at| at <= Timestamp::now());
    (!gone).then_some(metadata.current_version)
}

fn head_of(metadata: &ReadSecretMetadataResponse) -> Option<SecretHead> {
    let live = live_version(metadata)?;
    let created = &metadata.versions.get(&live.to_string())?.created_time;
    Some(head(live, created, metadata.custom_metadata.clone()))
}

fn head(version: u64, created: &str, custom: Option<Custom>) -> SecretHead {
    let mut custom = custom.unwrap_or_default();
    SecretHead {
        version: version.to_string(),
        created: created.parse().ok(),
        managed_by: custom.remove("managed_by"),
        tenant: custom.remove("tenant"),
        database: custom.remove("database"),
        mark: Mark::read(|key| custom.remove(key)),
    }
}

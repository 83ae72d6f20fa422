//! Endpoints that vaultrs does not have, and leaner answers of some that it has.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use rustify::endpoint::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use rustify::errors::ClientError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;
use vaultrs::api::kv2::responses::ReadSecretMetadataResponse;

/// A request for a `T`. vaultrs derives its endpoints; these differ in nothing but path, query and answer.
pub(super) struct Ask<T> {
    path: String,
    query: Option<String>,
    body: Option<Vec<u8>>,
    method: RequestMethod,
    answer: PhantomData<fn() -> T>,
}

impl<T> Ask<T> {
    pub(super) fn get(path: String) -> Self {
        Self { path, query: None, body: None, method: RequestMethod::GET, answer: PhantomData }
    }

    pub(super) fn list(path: String) -> Self {
        Self { query: Some("list=true".to_owned()), ..Self::get(path) }
    }

    pub(super) fn post(path: String, body: &Value) -> Self {
        Self { body: Some(body.to_string().into_bytes()), method: RequestMethod::POST, ..Self::get(path) }
    }

    pub(super) fn delete(path: String) -> Self {
        Self { method: RequestMethod::DELETE, ..Self::get(path) }
    }
}

impl<T: DeserializeOwned + Send + Sync> Endpoint for Ask<T> {
    type Response = T;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        self.method.clone()
    }

    fn query(&self) -> Result<Option<String>, ClientError> {
        Ok(self.query.clone())
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(self.body.clone())
    }
}

#[derive(Deserialize)]
pub(super) struct SealStatus {
    pub initialized: bool,
    pub sealed: bool,
}

/// Answered without a token, and with 200 even when sealed, unlike `sys/health`.
pub(super) fn seal_status() -> Ask<SealStatus> {
    Ask::get("sys/seal-status".to_owned())
}

/// Of a token: a proxy that adds its own takes that, and its accessor, out of the answer.
#[derive(Deserialize)]
pub(super) struct Token {
    pub ttl: u64,
    pub renewable: Option<bool>,
}

/// vaultrs wants more of the answer than a proxy leaves in it.
pub(super) fn token_self() -> Ask<Token> {
    Ask::get("auth/token/lookup-self".to_owned())
}

#[derive(Deserialize)]
pub(super) struct Mount {
    /// Absent from the answer of `sys/mounts/…`.
    pub path: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub options: Option<BTreeMap<String, Value>>,
}

/// What the web interface asks; any token that may do something below the mount is answered.
pub(super) fn visible_mount(mount: &str) -> Ask<Mount> {
    Ask::get(format!("sys/internal/ui/mounts/{mount}"))
}

/// Needs a policy of its own, but tells a mount that is not there from one that the token may not see.
pub(super) fn mount(mount: &str) -> Ask<Mount> {
    Ask::get(format!("sys/mounts/{mount}"))
}

#[derive(Deserialize)]
pub(super) struct DetailedList {
    pub keys: Vec<String>,
    /// Folders have no information.
    #[serde(default)]
    pub key_info: BTreeMap<String, Option<ReadSecretMetadataResponse>>,
}

/// OpenBao's: a page of a folder with every secret's metadata.
/// <https://openbao.org/api-docs/secret/kv/kv-v2/#list-secrets>
pub(super) fn detailed_metadata(mount: &str, folder: &str, after: &str, limit: usize) -> Ask<DetailedList> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("list", "true").append_pair("limit", &limit.to_string());
    if !after.is_empty() {
        query.append_pair("after", after);
    }
    Ask { query: Some(query.finish()), ..Ask::get(format!("{mount}/detailed-metadata/{folder}")) }
}

/// What the token may do at each of these paths, by path.
pub(super) fn capabilities_self(paths: &[String]) -> Ask<BTreeMap<String, Value>> {
    Ask::post("sys/capabilities-self".to_owned(), &serde_json::json!({ "paths": paths }))
}

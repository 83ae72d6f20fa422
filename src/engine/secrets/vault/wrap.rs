//! A secret in a response-wrapping token, which hands it to whoever unwraps it first.

use std::time::Duration;

use rustify::clients::reqwest::Client as Http;
use secrecy::SecretString;
use serde::Deserialize;
use vaultrs::api::{self, EndpointMiddleware};
use vaultrs::client::{Client, VaultClient, VaultClientSettings};

use super::endpoints::Ask;
use super::mount::Kind;
use super::session::{Access, Refusal};
use super::{VaultStore, components};
use crate::engine::secrets::access::Wrapped;
use crate::engine::secrets::error::SecretError;

#[derive(Deserialize)]
struct Answer {
    wrap_info: Option<Info>,
}

#[derive(Deserialize)]
struct Info {
    token: String,
    accessor: String,
    ttl: u64,
}

/// The same client, whose answers are wrapped.
struct Wrapping<'a> {
    client: &'a VaultClient,
    middle: EndpointMiddleware,
}

impl Client for Wrapping<'_> {
    fn http(&self) -> &Http {
        self.client.http()
    }

    fn middle(&self) -> &EndpointMiddleware {
        &self.middle
    }

    fn settings(&self) -> &VaultClientSettings {
        self.client.settings()
    }

    fn set_token(&mut self, token: &str) {
        token.clone_into(&mut self.middle.token);
    }
}

impl VaultStore {
    pub(super) fn wrap_secret(&self, path: &str, ttl: Duration) -> Result<Wrapped, SecretError> {
        components(path)?;
        let asked = match self.kind()? {
            Kind::V1 => format!("{}/{path}", self.mount),
            Kind::V2 => format!("{}/data/{path}", self.mount),
        };
        let access = Access { path: &asked, capability: "read" };
        let answer = self.session.call(access, async |client| {
            let wrap = Some(format!("{}s", ttl.as_secs().max(1)));
            let middle = EndpointMiddleware { wrap, ..client.middle().clone() };
            api::exec_with_no_result(&Wrapping { client, middle }, Ask::<Answer>::get(asked.clone())).await
        })?;
        match answer {
            Ok(Answer { wrap_info: Some(Info { token, accessor, ttl }) }) => {
                Ok(Wrapped { token: SecretString::from(token), accessor, ttl: Duration::from_secs(ttl), path: asked })
            }
            // The secret itself may be in it: nothing of it is told.
            Ok(Answer { wrap_info: None }) => Err(SecretError::Malformed {
                what: format!("the answer for \"{asked}\""),
                reason: "it is not wrapped".to_owned(),
            }),
            Err(Refusal { code: 404, .. }) => {
                Err(SecretError::Other { path: asked, status: 404, reason: "there is no secret".to_owned() })
            }
            Err(refusal) => Err(self.refused(refusal, &asked)),
        }
    }
}

//! What an answer, or the lack of one, means.

use vaultrs::error::ClientError;

use crate::engine::secrets::error::Source;

/// A request that did not succeed, before its path and purpose are known.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server's answer, with its own words.
    Status {
        code: u16,
        reasons: Vec<String>,
    },
    /// No answer.
    Transport(Source),
    Tls(Source),
    /// An answer that is not what the API promises. Without the text: it may hold a secret.
    Malformed(&'static str),
    Client(String),
}

/// Flattened: the library's own error types hold bodies and addresses that no one needs to see.
#[derive(Debug)]
struct Chain(Vec<String>);

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(": "))
    }
}

impl std::error::Error for Chain {}

impl Failure {
    pub(super) fn of(error: ClientError) -> Self {
        use rustify::errors::ClientError as Rest;
        match error {
            ClientError::APIError { code, errors } => Self::Status { code, reasons: errors },
            ClientError::RestClientError { source } => match source {
                Rest::ServerResponseError { code, content } => {
                    Self::Status { code, reasons: content.iter().filter_map(|text| plain(text)).collect() }
                }
                Rest::RequestError { source, .. } | Rest::ResponseError { source } => transport(source.as_ref()),
                Rest::ResponseParseError { .. } | Rest::ResponseConversionError { .. } => {
                    Self::Malformed("not the JSON that its API promises")
                }
                other => Self::Client(other.to_string()),
            },
            ClientError::JsonParseError { .. } => Self::Malformed("not the JSON that its API promises"),
            ClientError::ResponseEmptyError | ClientError::ResponseDataEmptyError => Self::Malformed("empty"),
            other => Self::Client(other.to_string()),
        }
    }

    /// Whether the same request may do better in a moment. Every request of ours may be sent twice: writes are
    /// check-and-set, or write the whole document.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            // A new KV version 2 mount answers so for a moment, and `terraform apply && tenantry apply` meets it.
            Self::Status { code: 400, reasons } => reasons.iter().any(|said| said.starts_with("Upgrading from")),
            // 501 is a server that is not initialized, and stays so.
            Self::Status { code, .. } => *code == 429 || (*code >= 500 && *code != 501),
            Self::Transport(_) => true,
            Self::Tls(_) | Self::Malformed(_) | Self::Client(_) => false,
        }
    }
}

/// The body of an answer that is not the API's error document, a proxy's page for instance. JSON is left out: that of
/// a soft-deleted secret comes with status 404, and is data.
fn plain(body: &str) -> Option<String> {
    let line = body.lines().map(str::trim).find(|line| !line.is_empty())?;
    (!line.starts_with(['{', '[', '<'])).then(|| line.chars().take(200).collect())
}

/// Looks into `io::Error`s, however deep: their `source` skips what they contain and continues with what that contains.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || held.is_some_and(|held| is_tls(held))
}

fn transport(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Failure {
    let mut words: Vec<String> = Vec::new();
    let mut tls = false;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        tls |= is_tls(error);
        let said = error.to_string();
        // Some wrappers repeat what they wrap.
        if !words.iter().any(|word| word.contains(&said)) {
            words.push(said);
        }
        next = error.source();
    }
    let chain: Source = Box::new(Chain(words));
    if tls { Failure::Tls(chain) } else { Failure::Transport(chain) }
}

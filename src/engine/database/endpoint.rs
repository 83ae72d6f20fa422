//! One server.

/// The server that a connection went to; with several hosts, one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

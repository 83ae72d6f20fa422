//! A real OpenBao (or Vault) for tests: `#[path = "support/openbao.rs"] mod openbao;`.
//!
//! The server dies with the test process, however that ends.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub const ROOT_TOKEN: &str = "root-token-of-the-tests";

pub struct OpenBao {
    pub address: String,
    pub token: String,
    running: Option<(Child, ChildStdin)>,
    arguments: Vec<String>,
    unseal_key: String,
    dir: tempfile::TempDir,
    /// Made once: reading the system's authorities takes longer than a request.
    client: (tokio::runtime::Runtime, reqwest::Client),
}

/// A certificate for 127.0.0.1 and "vault.internal", and the authority that signed it.
pub struct Certificates {
    pub ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

pub fn binary() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    BINARY.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/openbao.sh");
        let output = Command::new(script).stderr(Stdio::inherit()).output().expect("scripts/openbao.sh starts");
        assert!(output.status.success(), "scripts/openbao.sh finds no server; it said why above");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl OpenBao {
    /// In memory, unsealed, with KV version 2 at `secret/`. Up in a second or two.
    pub fn dev() -> Self {
        let port = free_port();
        let arguments = vec![
            "server".to_owned(),
            "-dev".to_owned(),
            format!("-dev-root-token-id={ROOT_TOKEN}"),
            "-dev-no-store-token".to_owned(),
            format!("-dev-listen-address=127.0.0.1:{port}"),
        ];
        let mut server = Self::prepare(format!("http://127.0.0.1:{port}"), arguments, tempfile::tempdir().unwrap());
        server.start();
        server.token = ROOT_TOKEN.to_owned();
        server
    }

    /// On disk, not initialized yet.
    pub fn blank(tls: Option<&Certificates>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, cluster) = (free_port(), free_port());
        let tls_lines = match tls {
            None => "tls_disable = true".to_owned(),
            Some(Certificates { cert, key, .. }) => {
                format!("tls_cert_file = \"{}\"\n  tls_key_file = \"{}\"", cert.display(), key.display())
            }
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let config = dir.path().join("server.hcl");
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        // Raft: OpenBao has no storage "file" any more (2.7.2: "unknown storage type file").
        let text = format!(
            "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"one\"\n  performance_multiplier = 1\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  cluster_address = \"127.0.0.1:{cluster}\"\n  {tls_lines}\n}}\n\
             api_addr = \"{scheme}://127.0.0.1:{port}\"\ncluster_addr = \"https://127.0.0.1:{cluster}\"\ndisable_mlock = true\n",
            data.display()
        );
        fs::write(&config, text).unwrap();
        let arguments = vec!["server".to_owned(), format!("-config={}", config.display())];
        let mut server = Self::prepare(format!("{scheme}://127.0.0.1:{port}"), arguments, dir);
        server.start();
        server
    }

    /// On disk, initialized and unsealed, with KV version 2 at `secret/`. Can be sealed, killed and started again.
    pub fn durable(tls: Option<&Certificates>) -> Self {
        let mut server = Self::blank(tls);
        let keys = server.api("PUT", "sys/init", json!({"secret_shares": 1, "secret_threshold": 1}));
        server.unseal_key = keys["keys_base64"][0].as_str().unwrap().to_owned();
        server.token = keys["root_token"].as_str().unwrap().to_owned();
        server.unseal();
        server.api("POST", "sys/mounts/secret", json!({"type": "kv", "options": {"version": "2"}}));
        server
    }

    /// `bao proxy` before this server, which adds the token to requests that come without one.
    pub fn proxy(&self, token: &str) -> Self {
        let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
        let (config, file) = (dir.path().join("proxy.hcl"), dir.path().join("token"));
        fs::write(&file, token).unwrap();
        let text = format!(
            "vault {{\n  address = \"{}\"\n}}\nauto_auth {{\n  method \"token_file\" {{\n    config = {{ token_file_path = \"{}\" }}\n  }}\n}}\n\
             api_proxy {{\n  use_auto_auth_token = true\n}}\nlistener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n",
            self.address,
            file.display()
        );
        fs::write(&config, text).unwrap();
        let arguments = vec!["proxy".to_owned(), format!("-config={}", config.display())];
        let mut proxy = Self::prepare(format!("http://127.0.0.1:{port}"), arguments, dir);
        proxy.start();
        let begun = Instant::now();
        while proxy.try_api("GET", "auth/token/lookup-self", &Value::Null).is_none_or(|(status, _)| status != 200) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{}",
                fs::read_to_string(proxy.log()).unwrap_or_default()
            );
            sleep(Duration::from_millis(50));
        }
        proxy
    }

    fn prepare(address: String, arguments: Vec<String>, dir: tempfile::TempDir) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // As in the tool itself: the client asks the process for its provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
        let (token, unseal_key) = (String::new(), String::new());
        Self { address, token, running: None, arguments, unseal_key, dir, client: (runtime, client) }
    }

    /// Starts it, again after `kill`; a durable one comes up sealed.
    pub fn start(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log()).unwrap();
        // The shell waits on a pipe that only this process holds. When we end, however we do, the server is killed.
        let mut child = Command::new("sh")
            .args(["-c", "\"$@\" & read -r _; kill -9 $!; wait", "sh", binary()])
            .args(&self.arguments)
            .env("HOME", self.dir.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("sh starts");
        let stdin = child.stdin.take().unwrap();
        self.running = Some((child, stdin));
        let begun = Instant::now();
        while self.try_api("GET", "sys/seal-status", &Value::Null).is_none() {
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not answer; it says:\n{}", log());
            sleep(Duration::from_millis(50));
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    /// With SIGKILL: what a power cut does.
    pub fn kill(&mut self) {
        if let Some((mut child, stdin)) = self.running.take() {
            drop(stdin);
            child.wait().ok();
        }
    }

    pub fn seal(&self) {
        self.api("PUT", "sys/seal", json!({}));
    }

    pub fn unseal(&self) {
        self.api("PUT", "sys/unseal", json!({"key": self.unseal_key}));
        // Unsealed is not yet active.
        let begun = Instant::now();
        while self.try_api("GET", "sys/health", &Value::Null).is_none_or(|(status, _)| status != 200) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the server does not become active");
            sleep(Duration::from_millis(50));
        }
    }

    /// As an administrator. Panics unless the server agrees.
    pub fn api(&self, method: &str, path: &str, body: Value) -> Value {
        self.api_in("", method, path, body)
    }

    /// The same within a namespace.
    pub fn api_in(&self, namespace: &str, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(namespace, method, path, &body).expect("the server answers");
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// `None` without an answer.
    pub fn try_api(&self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.send("", method, path, body)
    }

    fn send(&self, namespace: &str, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.send_as(&self.token, namespace, method, path, body)
    }

    fn send_as(&self, token: &str, namespace: &str, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let (runtime, client) = &self.client;
        let mut request = client
            .request(method.parse().unwrap(), format!("{}/v1/{path}", self.address))
            .timeout(Duration::from_secs(30));
        if !token.is_empty() {
            request = request.header("X-Vault-Token", token);
        }
        if !namespace.is_empty() {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        runtime.block_on(async {
            let answer = request.send().await.ok()?;
            let status = answer.status().as_u16();
            let text = answer.bytes().await.ok()?;
            Some((status, serde_json::from_slice(&text).unwrap_or(Value::Null)))
        })
    }

    /// As whoever has this token.
    pub fn as_token(&self, token: &str, method: &str, path: &str) -> (u16, Value) {
        self.send_as(token, "", method, path, &Value::Null).expect("the server answers")
    }

    /// A token with one policy of this text.
    pub fn token_with(&self, name: &str, policy: &str, more: Value) -> String {
        self.policy(name, policy);
        let mut body = json!({"policies": [name], "no_parent": true});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let answer = self.api("POST", "auth/token/create", body);
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    pub fn policy(&self, name: &str, policy: &str) {
        self.api("PUT", &format!("sys/policies/acl/{name}"), json!({"policy": policy}));
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Certificates {
    pub fn new(dir: &Path) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the tests' authority");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "vault.internal".to_owned()];
        let cert = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        let write = |name: &str, pem: String| {
            let path = dir.join(name);
            fs::write(&path, pem).unwrap();
            path
        };
        Self {
            ca: write("ca.pem", ca.as_ref().pem()),
            cert: write("cert.pem", cert.pem()),
            key: write("key.pem", key.serialize_pem()),
        }
    }
}

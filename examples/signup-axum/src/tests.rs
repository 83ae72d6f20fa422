use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tenantry::sandbox::Server;
use tower::ServiceExt;

use super::*;

async fn ask(app: &Router, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let response = app.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_customers_sign_up_at_once_and_each_has_its_own() {
    let server = Server::builder().start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let app = app(admin(&server.admin_url(), dir.path()).unwrap());

    let all = (0..20).map(|n| {
        let app = app.clone();
        tokio::spawn(async move { ask(&app, "POST", "/customers", json!({"company": format!("Company {n}")})).await })
    });
    for signed_up in all.collect::<Vec<_>>() {
        let (status, body) = signed_up.await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{body}");
        assert!(!body.to_string().contains("password"), "{body}");
    }
    let (_, listed) = ask(&app, "GET", "/customers", json!(null)).await;
    assert_eq!(listed.as_array().unwrap().len(), 20);
    let (status, body) = ask(&app, "POST", "/customers", json!({"company": "company 7"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert_eq!(ask(&app, "POST", "/customers", json!({"company": " "})).await.0, StatusCode::BAD_REQUEST);

    let secrets = dir.path().to_owned();
    let owners = tokio::task::spawn_blocking(move || {
        let connect = |n: usize| {
            let file = std::fs::read(secrets.join(format!("tenants/tenant_company_{n}.json"))).unwrap();
            let secret: Value = serde_json::from_slice(&file).unwrap();
            let mut client = postgres::Client::connect(secret["url"].as_str().unwrap(), postgres::NoTls).unwrap();
            client.execute("INSERT INTO notes (body) VALUES ('mine')", &[]).unwrap();
            assert!(client.query("SELECT * FROM tenant_company_0.notes", &[]).is_ok() == (n == 0));
            client.query_one("SELECT current_schema()::text", &[]).unwrap().get::<_, String>(0)
        };
        (0..20).map(connect).collect::<BTreeSet<_>>()
    });
    assert_eq!(owners.await.unwrap().len(), 20);

    assert_eq!(ask(&app, "DELETE", "/customers/company_3", json!(null)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ask(&app, "DELETE", "/customers/company_3", json!(null)).await.0, StatusCode::NOT_FOUND);
    assert!(std::fs::read_dir(dir.path().join("archives")).unwrap().count() > 0);
}

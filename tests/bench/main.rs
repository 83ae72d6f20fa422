//! `make bench`: how the cost of a tenant grows with the tenants there are, beside the same SQL by psql.
//!
//! Everything is measured in one run, on servers of its own that are alike: what counts is the ratio, and how it grows, not
//! the milliseconds of a busy machine. SIZES (100 400 1600), PLANS (100 1000), PARALLELISM (4), PG=18.
#![allow(clippy::unwrap_used)]

#[path = "../support/postgres.rs"]
mod postgres_server;
mod raw;
mod world;

use std::time::Duration;

use postgres_server::Version;
use world::World;

fn main() {
    let version = if numbers("PG", &[]) == [18] { Version::V18 } else { Version::Installed };
    let parallelism = numbers("PARALLELISM", &[4])[0];
    let (sizes, plans) = (numbers("SIZES", &[100, 400, 1600]), numbers("PLANS", &[100, 1000]));
    println!("PostgreSQL {}, {parallelism} connections", version.major());

    let mut table = Table::new("create", "psql, the plan's SQL and the migrations");
    for &tenants in &sizes {
        let psql = World::start(version, tenants, parallelism);
        let raw = psql.create_by_psql();
        drop(psql);
        table.row(tenants, World::start(version, tenants, parallelism).apply(), raw);
    }
    println!("\n{table}");

    let mut table = Table::new("plan, nothing to do", "psql, the same reads");
    for &tenants in &plans {
        let world = World::start(version, tenants, parallelism);
        world.apply();
        let reads = world.reads_of_a_plan();
        // The first of each warms the server's caches.
        world.plan();
        world.replay(&reads);
        table.row(tenants, world.plan(), world.replay(&reads));
    }
    println!("\n{table}");
}

/// What the variable lists, or else these.
fn numbers(name: &str, usual: &[usize]) -> Vec<usize> {
    let Ok(text) = std::env::var(name) else { return usual.to_vec() };
    let parse = |number: &str| number.parse().unwrap_or_else(|_| panic!("{name}={text}: {number:?} is no number"));
    text.split([' ', ',']).filter(|number| !number.is_empty()).map(parse).collect()
}

/// One kind of work at several sizes, ours beside the raw SQL.
struct Table {
    title: &'static str,
    raw: &'static str,
    rows: Vec<(usize, Duration, Duration)>,
}

impl Table {
    fn new(title: &'static str, raw: &'static str) -> Self {
        Self { title, raw, rows: Vec::new() }
    }

    fn row(&mut self, tenants: usize, ours: Duration, raw: Duration) {
        println!("{}: {tenants} tenants: {:.2} s, by psql {:.2} s", self.title, ours.as_secs_f64(), raw.as_secs_f64());
        self.rows.push((tenants, ours, raw));
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each = |tenants: usize, time: Duration| time.as_secs_f64() * 1000.0 / tenants as f64;
        writeln!(f, "{}, beside {}", self.title, self.raw)?;
        writeln!(
            f,
            "| tenants | tenantry, ms each | psql, ms each | ratio | growth of tenantry | of psql |\n|--:|--:|--:|--:|--:|--:|"
        )?;
        let Some((smallest, first, first_raw)) = self.rows.first().copied() else { return Ok(()) };
        for (tenants, ours, raw) in self.rows.iter().copied() {
            let (ours, raw) = (each(tenants, ours), each(tenants, raw));
            writeln!(
                f,
                "| {tenants} | {ours:.2} | {raw:.2} | {:.2} | {:.2} | {:.2} |",
                ours / raw,
                ours / each(smallest, first),
                raw / each(smallest, first_raw)
            )?;
        }
        f.write_str("Growth: the cost of one tenant, that of the first row being 1.\n")
    }
}

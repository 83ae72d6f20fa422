//! `make chaos`: a fleet of fifty that changes at random, and whose applies are disturbed at random. One more apply
//! converges, every time.
//!
//! ROUNDS (50), SEED (of the clock), PG=18. The same seed gives the same changes and the same blows; where in the work they
//! fall is the machine's.
#![allow(clippy::unwrap_used)]

mod check;
mod disturbance;
mod fleet;
#[path = "../support/fleet.rs"]
mod fleet_support;
#[path = "../support/openbao.rs"]
mod openbao;
#[path = "../support/postgres.rs"]
mod postgres_server;
#[path = "../support/proxy.rs"]
mod proxy;
mod table;
mod tenant;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use disturbance::{Blow, Disturbance};
use fleet::{Change, Fleet};
use postgres_server::Version;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use table::{Outcome, Table};
use world::{Ended, World};

/// Random changes of many tenants may be alike.
const APPLY: [&str; 22] = [
    "apply",
    "-y",
    "--allow-removals",
    "50",
    "--allow-fleet-change",
    "defaults.schema",
    "--allow-fleet-change",
    "defaults.username",
    "--allow-fleet-change",
    "defaults.owner",
    "--allow-fleet-change",
    "defaults.access",
    "--allow-fleet-change",
    "defaults.on_remove",
    "--allow-fleet-change",
    "defaults.protected",
    "--allow-fleet-change",
    "defaults.suspended",
    "--allow-fleet-change",
    "secrets.path",
    "--allow-fleet-change",
    "defaults.password_from",
];

fn main() -> ExitCode {
    let clock = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let (rounds, seed) = (number("ROUNDS").unwrap_or(50), number("SEED").unwrap_or(clock));
    let version = if number("PG") == Some(18) { Version::V18 } else { Version::Installed };
    let mut world = World::start(version);
    let mut fleet = Fleet::first();
    world.declare(&fleet);
    let nobody = Fleet { tenants: BTreeMap::new(), ..Fleet::first() };
    let mut usual = converge(&world, &nobody, &fleet, "the first apply").unwrap_or_else(|why| panic!("{why}"));
    println!("PostgreSQL {}, {} tenants; SEED={seed} ROUNDS={rounds}", postgres_version(&world), fleet.tenants.len());
    let (mut table, begun) = (Table::default(), Instant::now());
    for round in 1..=u32::try_from(rounds).unwrap() {
        // Each round's own, so that what a round draws depends on nothing but its number.
        let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(round.into()));
        let change = fleet.change(&mut rng, round);
        let blow = Blow::random(&mut rng, usual, change.tenants);
        let began = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| play(&mut world, &fleet, &change, &blow)));
        match result.unwrap_or_else(|panic| Err(words(panic.as_ref()))) {
            Ok(outcome) => {
                println!(
                    "{round:4} {:4.1} s  {blow}{}: {}",
                    began.elapsed().as_secs_f64(),
                    if outcome.hit { "" } else { " (too late)" },
                    change.words
                );
                usual = (usual * 3 + outcome.converged) / 4;
                table.add(blow.disturbance, outcome);
            }
            Err(why) => {
                let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}-{round}"));
                let told = format!("SEED={seed} round {round}: {blow}\nchange: {}\n{why}\n", change.words);
                world.leave(&dir);
                std::fs::write(dir.join("what-happened.txt"), &told).unwrap();
                println!("{told}\nThe servers' directories, the project and this are in {}\n\n{table}", dir.display());
                return ExitCode::FAILURE;
            }
        }
        fleet = change.after;
    }
    let pace = begun.elapsed().as_secs_f64() / f64::from(u32::try_from(rounds.max(1)).unwrap());
    println!("\n{table}\n{rounds} rounds, {pace:.1} s a round; seconds are those of the one apply that converges.");
    ExitCode::SUCCESS
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn postgres_version(world: &World) -> String {
    fleet_support::ask(&mut world.admin(), "SHOW server_version")
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("without words"))
}

/// One round: change, apply, blow, and one apply that converges.
fn play(world: &mut World, before: &Fleet, change: &Change, blow: &Blow) -> Result<Outcome, String> {
    let fleet = &change.after;
    world.declare(fleet);
    let args: Vec<&str> = change.args.iter().map(String::as_str).chain(["--format", "json"]).collect();
    let mut running = world.spawn(fleet, &args);
    let hit = blow.strike(world, &mut running);
    let ended = running.end()?;
    world.line.mend();
    world.store.mend();
    let within = |why: String| format!("{why}\n\nthe disturbed apply:\n{}", told(&ended));
    let (failed, unknown) = judge(&ended, blow, hit).map_err(within)?;
    check::the_untouched_work(world, before, change).map_err(within)?;
    let mut hit_again = true;
    if blow.disturbance == Disturbance::KilledTwice {
        hit_again = blow.strike_again(world, fleet, &APPLY).map_err(within)?;
        check::the_untouched_work(world, before, change).map_err(within)?;
    }
    world.wait_until_alone().map_err(within)?;
    let converged = converge(world, before, fleet, "the apply that was to converge").map_err(within)?;
    Ok(Outcome { hit: hit && hit_again, failed, unknown, tenants: change.tenants, converged })
}

/// However it was disturbed, the tool ends as it should: with a report, or by the signal.
fn judge(ended: &Ended, blow: &Blow, hit: bool) -> Result<(u64, u64), String> {
    let expected: &[Option<i32>] = match blow.disturbance {
        _ if !hit => &[Some(0)],
        Disturbance::Killed | Disturbance::KilledTwice => &[None],
        // Before apply begins to change things, SIGINT ends it as it ends any program.
        Disturbance::Interrupted => &[Some(130), Some(0), None],
        _ => &[Some(0), Some(1)],
    };
    if !expected.contains(&ended.code) {
        return Err(format!("it ended with {:?}", ended.code));
    }
    if ended.stderr.contains("panicked") {
        return Err("it panicked".to_owned());
    }
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or(Value::Null);
    let count = |outcome: &str| report["summary"][outcome].as_u64().unwrap_or(0);
    Ok((count("failed"), count("unknown")))
}

/// One plain apply; then there is nothing to do, and all is well. Says how long the apply took.
fn converge(world: &World, before: &Fleet, fleet: &Fleet, which: &str) -> Result<Duration, String> {
    let begun = Instant::now();
    let apply = world.run(fleet, &APPLY)?;
    let time = begun.elapsed();
    let so_far = |why: String| format!("{why}\n\n{which}:\n{}", told(&apply));
    if apply.code != Some(0) {
        return Err(so_far("it did not converge".to_owned()));
    }
    let plan = world.run(fleet, &["plan", "--deep", "--detailed-exitcode", "-v"])?;
    if plan.code != Some(0) {
        return Err(so_far(format!("there is more to do:\n{}", told(&plan))));
    }
    check::all_is_well(world, before, fleet).map_err(so_far)?;
    Ok(time)
}

fn told(ended: &Ended) -> String {
    format!("exit {:?}\n--- stdout\n{}\n--- stderr\n{}", ended.code, ended.stdout, ended.stderr)
}

//! The two-store commit of docs/adr/0001, explored exhaustively: each step that a fail point names, and a crash after each.
//!
//! What is decided in it is not a model: the planner of the library plans in each state. Modelled are the stores, and a run that
//! carries the plan out (two_store_model/steps.rs).

mod life;
mod steps;
mod world;

use stateright::{Checker, Model, Property};
use tenantry::migrations::MigrationSet;
use tenantry::model::Desired;
use tenantry::plan::{TenantPlan, Verb};

use life::{Life, Run, Wanted, abort, step};
use steps::{Step, steps};
use world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Command {
    Apply,
    Rotate { end_old: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    Want(Wanted),
    Start(Command),
    Step,
    Crash,
    /// COMMIT is answered by its transaction's end, and the run is there to take back what it wrote.
    Abort,
}

struct TwoStores {
    desired: [Desired; 3],
    superuser: bool,
    retains: bool,
}

fn desired(toml: &str) -> Desired {
    let configuration =
        tenantry::config::parse("tenants.toml", toml, &|_| None).unwrap_or_else(|error| panic!("{error}"));
    let set = MigrationSet::new(configuration.migrations_table.clone(), Vec::new()).unwrap();
    configuration.with_migrations(set)
}

impl TwoStores {
    fn new(superuser: bool, on_remove: &str) -> Self {
        let desired = ["", "acme = {}", "acme = { rotation = \"two-user\" }"]
            .map(|tenants| desired(&format!("[defaults]\non_remove = \"{on_remove}\"\n[tenants]\n{tenants}\n")));
        Self { desired, superuser, retains: on_remove == "retain" }
    }

    fn plan(&self, world: &World, wanted: Wanted, command: Command) -> Option<TenantPlan> {
        let [none, _, two] = &self.desired;
        let observed = world.observed(two, none, self.superuser);
        let desired = &self.desired[wanted as usize];
        let plan = match command {
            Command::Apply => tenantry::plan::diff(desired, &observed, &|_| true),
            Command::Rotate { end_old } => tenantry::plan::rotation(desired, &observed, &|_| true, end_old),
        };
        plan.tenants.into_iter().find(|plan| plan.verb.is_work() || plan.verb == Verb::Blocked)
    }

    fn start(&self, life: &mut Life, command: Command) {
        let Some(plan) = self.plan(&life.world, life.wanted, command).filter(|plan| plan.verb != Verb::Blocked) else {
            return;
        };
        if command != Command::Apply || life.wanted != Wanted::TwoUser {
            life.former = None;
        }
        life.run = Some(Run {
            left: steps(&plan, &life.world),
            open: None,
            before: None,
            locked_out: Vec::new(),
            switches: plan.phases.switch.is_some(),
            removes: plan.verb == Verb::Remove,
            leaves_the_old_one: command == Command::Rotate { end_old: false },
        });
    }

    /// One apply that nothing interrupts.
    fn one_more_apply(&self, life: &Life) -> Life {
        let mut life = life.clone();
        self.start(&mut life, Command::Apply);
        while life.run.is_some() {
            step(&mut life);
        }
        life
    }

    /// It leaves what tenants.toml says, and a plan has nothing to do.
    fn converges(&self, life: &Life) -> bool {
        let after = self.one_more_apply(life);
        let world = &after.world;
        let there = world.roles.map(|role| role.is_some());
        // Creating it, or bringing back what was retained, was cut off before COMMIT, and it is declared no more: nobody knows of the
        // secret (the ADR's "What does not converge").
        let is_known = life.world.row.as_ref().is_some_and(|row| row.version.is_some());
        let nobodys = !is_known && life.wanted == Wanted::Absent;
        let as_wanted = match life.wanted {
            Wanted::Absent if self.retains && world.row.is_some() => {
                (world.secret.is_none() || nobodys) && !world.roles.iter().flatten().any(|role| role.can_login)
            }
            Wanted::Absent => {
                there == [false; 3] && world.row.is_none() && !world.schema && (world.secret.is_none() || nobodys)
            }
            Wanted::Single => there == [true, false, false] && world.opens(),
            Wanted::TwoUser => there == [true; 3] && world.opens() && !world.roles[0].unwrap().can_login,
        };
        as_wanted && self.plan(world, life.wanted, Command::Apply).is_none()
    }
}

impl Model for TwoStores {
    type State = Life;
    type Action = Event;

    fn init_states(&self) -> Vec<Life> {
        vec![Life { wanted: Wanted::Absent, world: World::default(), run: None, former: None, broke: false }]
    }

    fn actions(&self, life: &Life, events: &mut Vec<Event>) {
        if let Some(run) = &life.run {
            events.extend([Event::Step, Event::Crash]);
            events.extend((run.left.first() == Some(&Step::Commit)).then_some(Event::Abort));
            return;
        }
        let all = [Wanted::Absent, Wanted::Single, Wanted::TwoUser];
        events.extend(all.into_iter().filter(|wanted| *wanted != life.wanted).map(Event::Want));
        let rotate = |end_old| Event::Start(Command::Rotate { end_old });
        events.extend([Event::Start(Command::Apply), rotate(false), rotate(true)]);
    }

    fn next_state(&self, last: &Life, event: Event) -> Option<Life> {
        let mut life = last.clone();
        match event {
            Event::Want(wanted) => life.wanted = wanted,
            Event::Start(command) => self.start(&mut life, command),
            Event::Step => step(&mut life),
            Event::Crash => life.run = None,
            Event::Abort => abort(&mut life),
        }
        if life.run.is_none() {
            life.forget_names();
        }
        (life != *last).then_some(life)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("with two users, no step breaks a secret that works", |_, life: &Life| !life.broke),
            Property::always("the former user's password works until the next rotation", |_, life: &Life| {
                life.former.is_none_or(|former| life.world.lets_in(former))
            }),
            Property::always("one more apply ends in sync", |model: &Self, life: &Life| {
                life.run.is_some() || model.converges(life)
            }),
            Property::sometimes("the second user is in force", |_, life: &Life| {
                life.run.is_none() && life.world.row.as_ref().is_some_and(|row| row.two && row.named == 2)
            }),
            Property::sometimes(
                "a secret with one user does not work between the store and COMMIT",
                |_, life: &Life| {
                    life.run.is_none() && life.world.row.is_some() && life.world.secret.is_some() && !life.world.opens()
                },
            ),
        ]
    }
}

fn explore(superuser: bool, on_remove: &str) {
    let checker = TwoStores::new(superuser, on_remove).checker().spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    assert!(checker.unique_state_count() > 100);
    checker.assert_properties();
}

#[test]
fn no_crash_takes_a_working_secret_from_a_tenant_with_two_users_and_one_apply_ends_in_sync() {
    explore(true, "drop");
}

#[test]
fn the_same_holds_for_an_admin_who_sees_no_password_and_for_what_is_retained() {
    explore(false, "retain");
}

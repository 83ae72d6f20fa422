//! A tenant's life: what is wanted of it, the two stores, and the run that is under way.

use super::steps::Step;
use super::world::{Password, Standing, Stored, World};

/// What tenants.toml says of the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    Absent,
    Single,
    TwoUser,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Life {
    pub wanted: Wanted,
    pub world: World,
    pub run: Option<Run>,
    /// Whoever logged in as this user with this password can until the next rotation.
    pub former: Option<(usize, Password)>,
    /// A secret that worked does not work any more, though two users log in for the tenant, or did, or are to.
    pub broke: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    pub left: Vec<Step>,
    /// What the transaction that is open would commit; the store's part of it is nobody's.
    pub open: Option<World>,
    /// Before it was written for a transaction that is to be committed yet.
    pub before: Option<Option<Stored>>,
    pub locked_out: Vec<usize>,
    pub switches: bool,
    pub removes: bool,
    pub leaves_the_old_one: bool,
}

impl Life {
    /// Between runs, which password it is matters only where the secret has the same one, or a former user's client; and which version,
    /// only whether it is the registered one.
    pub fn forget_names(&mut self) {
        let secret = self.world.secret.as_ref().map(|secret| secret.password);
        let former = self.former.map(|(_, password)| password);
        let name = |password: Password| match Some(password) {
            password if password == secret => 0,
            password if password == former => 1,
            _ => NOBODYS,
        };
        for password in self.world.roles.iter_mut().flatten().filter_map(|role| role.password.as_mut()) {
            *password = name(*password);
        }
        let version = self.world.secret.as_ref().map(|secret| secret.version);
        if let Some(version_of_row) = self.world.row.as_mut().and_then(|row| row.version.as_mut()) {
            *version_of_row = u8::from(Some(*version_of_row) != version);
        }
        if let Some((_, password)) = &mut self.former {
            *password = name(*password);
        }
        if let Some(secret) = &mut self.world.secret {
            (secret.version, secret.password) = (0, 0);
        }
    }
}

/// A password that nobody has.
const NOBODYS: Password = 9;

/// The next step of the run, and what it breaks.
pub fn step(life: &mut Life) {
    let mut run = life.run.take().unwrap();
    let worked = life.world.opens();
    let had_two = life.world.row.as_ref().is_some_and(|row| row.two);
    let next = run.left.remove(0);
    carry_out(life, &mut run, &next);
    if worked && !life.world.opens() && !run.removes && (run.switches || had_two) {
        life.broke = true;
    }
    life.run = (!run.left.is_empty()).then_some(run);
}

fn carry_out(life: &mut Life, run: &mut Run, step: &Step) {
    let world = &mut life.world;
    match step {
        Step::LockOut(roles) => {
            for role in roles {
                if let Some(login) = &mut world.roles[*role] {
                    login.can_login = false;
                    run.locked_out.push(*role);
                }
            }
        }
        Step::Changes(effects) => {
            let mut open = world.clone();
            effects.iter().for_each(|effect| effect.on(&mut open));
            run.open = Some(open);
        }
        Step::WriteSecret { expected, named, password } => {
            assert_eq!(*expected, world.secret.as_ref().map(|secret| secret.version), "check-and-set");
            let secret = Stored { version: world.new_version(), named: *named, password: *password };
            let before = world.secret.replace(secret);
            if run.open.is_some() {
                run.before = Some(before);
            } else if run.leaves_the_old_one {
                let former = before.map(|before| (before.named, before.password));
                // Nothing is promised of one that an interrupted removal locked out, nor of the username, which is to log in no more.
                life.former = former.filter(|former| former.0 != 0 && world.lets_in(*former));
            }
        }
        Step::NoteVersion => {
            let row = run.open.as_mut().unwrap().row.as_mut().unwrap();
            row.version = world.secret.as_ref().map(|secret| secret.version);
        }
        Step::Commit => {
            let secret = world.secret.take();
            *world = World { secret, ..run.open.take().unwrap() };
            run.before = None;
        }
        Step::DeleteSecret(expected) => {
            assert_eq!(Some(*expected), world.secret.as_ref().map(|secret| secret.version));
            world.secret = None;
        }
        Step::Forget => match world.row.as_mut().unwrap() {
            row if row.standing == Standing::Removed => world.row = None,
            row => row.version = None,
        },
    }
}

/// What a run that is still there does when its COMMIT has failed.
pub fn abort(life: &mut Life) {
    let run = life.run.take().unwrap();
    let world = &mut life.world;
    if let Some(before) = run.before {
        let version = world.new_version();
        world.secret = before.map(|before| Stored { version, ..before });
    }
    if world.row.as_ref().is_some_and(|row| row.standing == Standing::Active) {
        for role in run.locked_out {
            world.roles[role].as_mut().unwrap().can_login = true;
        }
    }
}

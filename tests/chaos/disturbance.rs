//! What goes wrong, and when.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::fleet::Fleet;
use crate::proxy::{Line, Loss};
use crate::world::{Running, World};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Disturbance {
    Killed,
    KilledTwice,
    Interrupted,
    PostgresStopped,
    BackendsTerminated,
    Cut,
    CutOff,
    CommitLost,
    AnswerLost,
    AnswerLostAndCutOff,
    OpenBaoKilled,
    OpenBaoSealed,
    OpenBaoSlow,
    OpenBaoStalled,
}

use Disturbance::*;

/// All of them, as the table calls them.
const ALL: [(Disturbance, &str); 14] = [
    (Killed, "kill -9"),
    (KilledTwice, "kill -9, and again"),
    (Interrupted, "SIGINT"),
    (PostgresStopped, "PostgreSQL stopped -m immediate"),
    (BackendsTerminated, "pg_terminate_backend"),
    (Cut, "connections cut"),
    (CutOff, "connections cut, none let in"),
    (CommitLost, "COMMIT lost"),
    (AnswerLost, "answer to COMMIT lost"),
    (AnswerLostAndCutOff, "answer lost, none let in"),
    (OpenBaoKilled, "OpenBao kill -9"),
    (OpenBaoSealed, "OpenBao sealed"),
    (OpenBaoSlow, "OpenBao slow"),
    (OpenBaoStalled, "OpenBao stalls, and is cut"),
];

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = ALL.iter().find(|(disturbance, _)| disturbance == self);
        f.pad(named.map_or("", |(_, name)| name))
    }
}

/// When: so long after the start, or so long after so many tenants came to their COMMIT.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    After(Duration),
    AtCommit(u64, Duration),
}

impl Moment {
    /// Within an apply that takes so long and changes so many tenants.
    pub fn random(rng: &mut StdRng, usual: Duration, tenants: usize) -> Self {
        let millis = |rng: &mut StdRng, most: u64| Duration::from_micros(rng.random_range(0..=most * 1000));
        if rng.random_bool(0.25) {
            Self::After(millis(rng, u64::try_from(usual.as_millis()).unwrap_or(1000)))
        } else {
            Self::AtCommit(rng.random_range(1..=tenants.max(1) as u64), millis(rng, 20))
        }
    }

    /// Waits for it. Says whether the tool was still at work then.
    fn come(self, world: &World, running: &mut Running) -> bool {
        let (begun, seen) = (Instant::now(), world.line.commits());
        let pause = match self {
            Self::After(time) => {
                while begun.elapsed() < time && running.is_running() {
                    sleep(Duration::from_millis(1));
                }
                Duration::ZERO
            }
            Self::AtCommit(count, pause) => {
                while world.line.commits() - seen < count && running.is_running() {
                    sleep(Duration::from_micros(200));
                }
                pause
            }
        };
        sleep(pause);
        running.is_running()
    }
}

/// All that is random about one disturbance.
pub struct Blow {
    pub disturbance: Disturbance,
    pub moment: Moment,
    second: Moment,
    pause: Duration,
    count: u32,
}

impl Blow {
    pub fn random(rng: &mut StdRng, usual: Duration, tenants: usize) -> Self {
        Self {
            disturbance: ALL.choose(rng).unwrap().0,
            moment: Moment::random(rng, usual, tenants),
            second: Moment::random(rng, usual, tenants),
            pause: Duration::from_millis(rng.random_range(0..600)),
            count: rng.random_range(1..=6),
        }
    }

    /// Strikes while the tool works, and brings up again what went down. Says whether it still was at work.
    pub fn strike(&self, world: &mut World, running: &mut Running) -> bool {
        let hit = self.moment.come(world, running);
        match self.disturbance {
            Killed | KilledTwice => running.kill(),
            Interrupted => running.interrupt(),
            PostgresStopped => {
                world.server.stop_immediate().unwrap();
                sleep(self.pause);
                world.server.start_again().unwrap();
            }
            BackendsTerminated => {
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE application_name = 'tenantry' AND pid <> pg_backend_pid()";
                world.admin().batch_execute(sql).unwrap();
            }
            Cut => world.line.cut(),
            CutOff => {
                world.line.line(Line::Closed);
                world.line.cut();
                sleep(self.pause);
            }
            CommitLost => world.line.lose(Loss::Commit, self.count, Line::Open),
            AnswerLost => world.line.lose(Loss::Answer, self.count, Line::Open),
            AnswerLostAndCutOff => world.line.lose(Loss::Answer, self.count, Line::Closed),
            OpenBaoKilled => {
                world.bao.kill();
                sleep(self.pause);
                world.bao.start();
                world.bao.unseal();
            }
            OpenBaoSealed => {
                world.bao.seal();
                sleep(self.pause);
                world.bao.unseal();
            }
            OpenBaoSlow => world.store.line(Line::Slow(self.pause / 10)),
            OpenBaoStalled => {
                world.store.line(Line::Stalled);
                sleep(self.pause * 3);
                world.store.cut();
            }
        }
        // These go on until the tool ends.
        if !matches!(self.disturbance, CommitLost | AnswerLost | AnswerLostAndCutOff | OpenBaoSlow) {
            world.line.mend();
            world.store.mend();
        }
        hit
    }

    /// Kills the second try as well. Says whether it was at work.
    pub fn strike_again(&self, world: &World, fleet: &Fleet, args: &[&str]) -> Result<bool, String> {
        world.wait_until_alone()?;
        let mut running = world.spawn(fleet, args);
        let hit = self.second.come(world, &mut running);
        running.kill();
        running.end().map(|_| hit)
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.moment {
            Moment::After(time) => write!(f, "{} after {time:.1?}", self.disturbance),
            Moment::AtCommit(count, pause) => write!(f, "{} {pause:.1?} after COMMIT {count}", self.disturbance),
        }
    }
}

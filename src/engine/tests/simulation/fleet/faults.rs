//! The faults that strike a fleet.

use std::time::Duration;

use super::network::{Request, Response};
use super::world::{Fault, Happening, LEASE, Pid, World};
use crate::engine::tests::story::{ms, secs};

impl World {
    /// Brings a fault about, for this process and this long if they are chosen.
    pub(super) fn fault(&mut self, fault: Fault, pid: Option<Pid>, long: Option<Duration>) {
        let dice = &mut self.dice;
        let (from, to) = dice.pick(&[(200, 3000), (3000, 20_000), (20_000, 60_000)]);
        let long = long.unwrap_or(ms(dice.between(from, to)));
        let pids: Vec<Pid> = self.processes.keys().copied().collect();
        let victim = pid.or_else(|| (!pids.is_empty()).then(|| dice.pick(&pids)));
        match (fault, victim) {
            (Fault::LedgerDown, _) => self.ledger_down(long),
            (_, None) => {}
            (Fault::Kill, Some(pid)) => self.kill(pid),
            (fault, Some(pid)) => self.disturb(fault, pid, long),
        }
    }

    fn ledger_down(&mut self, long: Duration) {
        let now = self.now;
        self.saw("ledger down");
        self.tell(|| format!("the ledger is down for {long:?}"));
        self.is_up = false;
        self.down_until = self.down_until.max(now + long);
        self.checks.outage(now, now + long);
        self.schedule(self.down_until, Happening::Up);
    }

    fn kill(&mut self, pid: Pid) {
        self.saw("killed");
        self.tell(|| format!("{pid}: killed"));
        let Some(process) = self.processes.remove(&pid) else { return };
        self.killed.push(process.start);
        self.delay_batches(pid);
        let after = secs(self.dice.below(30));
        self.schedule(self.now + after, Happening::Spawn(process.file));
    }

    /// Disturbs a process that goes on afterwards.
    fn disturb(&mut self, fault: Fault, pid: Pid, long: Duration) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let what = match fault {
            // Nobody can tell how long a machine stood still if both of its clocks lie.
            Fault::ClockJump if process.frozen_until + LEASE > now => return,
            Fault::Suspend if process.clock_set_until > now => return,
            Fault::ClockJump => {
                process.skew += self.dice.pick(&[-3_600_000, -4000, 4000, 3_600_000]);
                process.clock_set_until = now + secs(60);
                "clock jumps"
            }
            Fault::CutOff => {
                process.cut_off_until = process.cut_off_until.max(now + long);
                self.hold_answers(pid, now, true);
                "cut off"
            }
            Fault::Stall => {
                process.stalled_until = process.stalled_until.max(now + long);
                let until = process.stalled_until;
                self.hold_answers(pid, until, false);
                "stalled"
            }
            Fault::Suspend => {
                process.frozen_until = process.frozen_until.max(now) + long;
                process.epoch += long;
                process.wakes_at = process.wakes_at.map(|at| at + long);
                "suspended"
            }
            Fault::Freeze | Fault::Kill | Fault::LedgerDown => {
                process.frozen_until = process.frozen_until.max(now) + long;
                "frozen"
            }
        };
        self.saw(what);
        self.tell(|| format!("{pid}: {what} for {long:?}"));
        self.delay_batches(pid);
    }

    /// Holds back the answers that are under way to a process until a stall ends, or loses them with
    /// its connection.
    fn hold_answers(&mut self, pid: Pid, until: Duration, breaks: bool) {
        let is_answer = |what: &Happening| {
            matches!(what, Happening::Answered(of, _, Ok(answer)) if *of == pid
                && !matches!(answer, Response::Done))
        };
        let under_way: Vec<_> =
            self.events.iter().filter(|(_, what)| is_answer(what)).map(|(at, _)| *at).collect();
        for at in under_way {
            if let Some(answer) = self.events.remove(&at) {
                let answer = match answer {
                    Happening::Answered(pid, number, _) if breaks => {
                        Happening::Answered(pid, number, Err(()))
                    }
                    answer => answer,
                };
                let late = ms(self.dice.between(1, if breaks { 300 } else { 3000 }));
                self.schedule(until + late, answer);
            }
        }
    }

    /// Keeps back some batches that are under way to the ledger, so that they arrive about when
    /// their worker is declared dead.
    fn delay_batches(&mut self, pid: Pid) {
        let is_batch = |what: &Happening| matches!(what, Happening::Arrives(of, _, Request::Offer(..)) if *of == pid);
        let under_way: Vec<_> =
            self.events.iter().filter(|(_, what)| is_batch(what)).map(|(at, _)| *at).collect();
        for at in under_way {
            if self.dice.one_in(2)
                && let Some(batch) = self.events.remove(&at)
            {
                self.saw("batch came late");
                let late = ms(self.dice.between(14_000, 19_000));
                self.schedule(self.now + late, batch);
            }
        }
    }
}

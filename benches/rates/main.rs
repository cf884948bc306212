//! The rate finder against models of vendors, in virtual time: `cargo bench --bench rates`.
//!
//! Each case is played with seeds that no constant was tuned with. The bars are for the mean of the
//! seeds. `cargo bench --bench rates -- 4 fixed` plays four seeds of the cases with `fixed` in their
//! names, and `-- 4 fixed 1` begins with the seed 1.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a bench: what fails ends it"
)]

mod cases;
mod controllers;
mod simulation;
mod vendors;

use cases::{Case, Measure, Reached};
use controllers::{Aws, Controller, CutAndClimb, finder};

/// First of the seeds that no constant was tuned with.
const FRESH: u64 = 98_001;
/// Number of seeds.
const SEEDS: u64 = 8;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let seeds = args.first().and_then(|arg| arg.parse().ok()).unwrap_or(SEEDS);
    let name = args.get(1).cloned().unwrap_or_default();
    let first = args.get(2).and_then(|arg| arg.parse().ok()).unwrap_or(FRESH);
    println!(
        "answered, in % of what is allowed: mean (worst seed); refused in %: mean (worst seed)\n"
    );
    println!("| vendor | asked | answered | second figure | refused | AWS | AIMD | 0.1 |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut missed = 0;
    for case in cases::all().iter().filter(|case| format!("{case}").contains(&name)) {
        let of = Figures::of(case, first, seeds, &finder);
        let others = [
            Figures::of(case, first, seeds.min(2), &Aws::new),
            Figures::of(case, first, seeds.min(2), &CutAndClimb::aimd),
            Figures::of(case, first, seeds.min(2), &CutAndClimb::before),
        ];
        let others = others.map(|of| format!("{:.0}/{:.1}", of.answered.0, of.refused.0));
        let holds = of.hold(case);
        missed += u32::from(!holds);
        println!(
            "| {} | {} | {} | {} | {}{} | {} |",
            case.vendor,
            case.asked,
            of.answered_words(case),
            of.second_words(case),
            of.refused_words(case),
            if holds { "" } else { " **missed**" },
            others.join(" | ")
        );
    }
    println!("\n{missed} bars were missed");
    assert_eq!(missed, 0, "a bar was missed");
}

/// Figures of a case over its seeds, each with the mean and the worst.
struct Figures {
    answered: (f64, f64),
    second: (f64, f64),
    refused: (f64, f64),
    early: f64,
}

impl Figures {
    fn of<C: Controller>(
        case: &Case,
        first: u64,
        seeds: u64,
        controller: &dyn Fn(&Case) -> C,
    ) -> Self {
        let seeds = if case.limit >= 1000.0 { seeds.min(3) } else { seeds };
        let runs = (first..first + seeds).map(|seed| case.reached(seed, controller));
        let runs: Vec<Reached> = runs.collect();
        let mean = |of: fn(&Reached) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
        let least = |of: fn(&Reached) -> f64| runs.iter().map(of).fold(f64::MAX, f64::min);
        let most = |of: fn(&Reached) -> f64| runs.iter().map(of).fold(0.0, f64::max);
        Self {
            answered: (mean(|run| run.answered), least(|run| run.answered)),
            second: (mean(|run| run.second), least(|run| run.second)),
            refused: (mean(|run| run.refused), most(|run| run.refused)),
            early: most(|run| run.early),
        }
    }

    fn hold(&self, case: &Case) -> bool {
        self.answered.0 >= case.bar.answered
            && self.second.0 >= case.bar.second
            && self.refused.0 <= case.bar.refused
            && self.early <= 100.0
    }

    fn answered_words(&self, case: &Case) -> String {
        format!("{:.1} ({:.1}) ≥ {:.0}", self.answered.0, self.answered.1, case.bar.answered)
    }

    fn second_words(&self, case: &Case) -> String {
        let (mean, worst) = self.second;
        let what = match case.measure {
            Measure::After(_) | Measure::Left => return String::new(),
            Measure::Whole => "from 30 s",
            Measure::Changes { .. } => "after doubling",
            Measure::Queue => {
                let times = |part: f64| 100.0 / part;
                let (mean, worst) = (times(mean), times(worst));
                return format!(
                    "latency {mean:.1}× ({worst:.1}×) ≤ {:.0}×",
                    times(case.bar.second)
                );
            }
            Measure::Machines => "least of most",
        };
        format!("{what} {mean:.1} ({worst:.1}) ≥ {:.0}", case.bar.second)
    }

    fn refused_words(&self, case: &Case) -> String {
        format!("{:.2} ({:.2}) ≤ {}", self.refused.0, self.refused.1, case.bar.refused)
    }
}

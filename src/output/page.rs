//! The page about a run: one HTML file that needs nothing beside it.
//!
//! Must hold: a page is a pure function of its facts, so equal facts are equal bytes. It has no script,
//! no link but to its own parts, and no style attribute. Every number of a chart stands in a table.
//!
//! Never: contains a NIK, a name or a secret, or the time of now.

mod amounts;
mod blocks;
mod charts;
mod facts;
mod file;
mod first;
mod history;
mod money;
mod night;
mod numbers;
mod past;
mod rows;
mod svg;
mod words;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use self::blocks::{Block, Section, Table};
pub use self::facts::{
    DoubtFacts, Doubts, Failure, HistoryFacts, MOST_DOUBTS, MOST_RUNS, Minute, PastRun,
    PricedCalls, RecordedSummary, RecordedSurvey, RunFacts, RunState, StartFacts, TrendRun,
};
use self::numbers::full_time;

/// The style sheet of each page.
const STYLE: &str = include_str!("page/page.css");

/// A page, as its template shows it.
#[derive(Template)]
#[template(path = "page.html", config = "src/output/page/askama.toml")]
struct Page {
    /// Title, which is a good name for a file.
    title: String,
    heading: String,
    banners: Vec<String>,
    sections: Vec<Section>,
    style: &'static str,
    /// Hash of the style sheet, for the policy of the page.
    style_hash: String,
    /// Time of the latest fact.
    stamp: String,
}

/// A page could not be made. This does not happen: its template writes to memory.
#[derive(Debug, thiserror::Error)]
#[error("the page cannot be made: {0}")]
pub struct PageError(#[from] askama::Error);

/// Makes the page about one run.
///
/// # Errors
/// Returns [`PageError`] if the template fails.
pub fn page_of_run(facts: &RunFacts) -> Result<String, PageError> {
    let mut figures: Vec<Table> = Vec::new();
    let mut sections = vec![first::summary(facts), first::tiles(facts)];
    sections.extend(first::next(facts));
    sections.extend([money::money(facts), rows::outcomes(facts)]);
    sections.push(night::timeline(facts, &mut figures));
    sections.push(night::latency(facts, &mut figures));
    sections.extend([night::errors(facts), file::findings(facts)]);
    sections.push(file::doubts(&facts.doubts, &facts.zone, facts.purged > 0));
    sections.extend(history::trend(&facts.trend, &facts.zone, history::changes(facts)));
    sections.extend([history::starts(facts), history::settings(facts)]);
    let blocks = figures.into_iter().map(Block::Table).collect();
    sections.push(Section { id: "figures", title: "Figures of the charts", blocks });
    sections.push(words::words());
    let page = Page {
        title: format!("ceknik-run-{}", facts.run),
        heading: format!("Run {}: {}", facts.run, facts.input),
        banners: first::banners(facts),
        sections,
        style: STYLE,
        style_hash: style_hash(),
        stamp: full_time(facts.latest(), &facts.zone),
    };
    Ok(page.render()?)
}

/// Makes the page about all runs since a time.
///
/// # Errors
/// Returns [`PageError`] if the template fails.
pub fn page_of_history(facts: &HistoryFacts) -> Result<String, PageError> {
    let mut sections = vec![past::summary(facts), past::tiles(facts), past::money(facts)];
    sections.extend(history::trend(&facts.trend, &facts.zone, None));
    let has_purged = !facts.purged.is_empty();
    sections.push(file::doubts(&facts.doubts, &facts.zone, has_purged));
    sections.push(past::runs(facts));
    sections.extend(past::purges(facts));
    sections.push(words::words());
    let since = facts.zone.show(facts.since, "%-d %b %Y");
    let page = Page {
        title: "ceknik-history".to_owned(),
        heading: format!("Runs since {since}"),
        banners: past::banners(facts),
        sections,
        style: STYLE,
        style_hash: style_hash(),
        stamp: full_time(past::latest(facts), &facts.zone),
    };
    Ok(page.render()?)
}

/// Returns the SHA-256 of the style sheet, as a content security policy names it.
fn style_hash() -> String {
    STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::page::svg::Ink;

    #[test]
    fn each_colour_has_another_one_for_a_dark_screen() {
        let dark = STYLE.split_once("prefers-color-scheme: dark").unwrap().1;
        for (class, colour) in Ink::paints() {
            assert!(dark.contains(&format!(".mark.{class}")), "{class}: {colour}");
        }
    }
}

//! Charts: bars, columns over time, histograms and small columns, as SVG.
//!
//! Must hold: every number that a chart shows stands in a table of the page too. Colour is never the
//! only sign: segments have names, bands have letters, and what is not certain is striped.
//!
//! Never: rounds a figure before it is drawn, or draws more than [`MOST_COLUMNS`] columns.

use super::svg::{Anchor, Ink, Svg};

/// Largest number of columns of a chart.
pub(super) const MOST_COLUMNS: usize = 240;
/// Width of a drawing.
const WIDTH: f64 = 720.0;
/// Room at the left for the numbers of the axis.
const LEFT: f64 = 58.0;
/// Room at the right, so that the last label is not cut.
const RIGHT: f64 = 18.0;
/// Height of a line of text.
const LINE: f64 = 18.0;
/// Fewest units of the drawing between two labels of an axis.
const LABEL_GAP: f64 = 84.0;

/// A chart, ready to be put into a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chart {
    /// Name, which stands above the chart.
    pub(super) title: String,
    /// One sentence with its figures, which stands below the chart.
    pub(super) description: String,
    /// The drawing.
    pub(super) svg: String,
}

impl Chart {
    fn of(svg: Svg, title: &str, description: String) -> Self {
        let svg = svg.finish(title, &description);
        Self { title: title.to_owned(), description, svg }
    }
}

/// A part of a bar or of a column.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) value: u64,
    /// The value as it is shown.
    pub(super) shown: String,
    pub(super) ink: Ink,
}

/// Draws one bar of several segments, with their names below it. `mark` is a value with a name, which
/// is drawn as a line across the bar.
pub(super) fn bar(
    title: &str,
    description: String,
    segments: &[Segment],
    mark: Option<(u64, String)>,
) -> Chart {
    let total: u64 = segments.iter().map(|segment| segment.value).sum();
    let marked = mark.as_ref().map_or(0, |(value, _)| *value);
    let scale = (WIDTH - RIGHT) / total.max(marked).max(1) as f64;
    let shown: Vec<_> = segments.iter().filter(|segment| segment.value > 0).collect();
    let top = if mark.is_some() { LINE + 6.0 } else { 4.0 };
    let lines = shown.len().div_ceil(3) as f64;
    let mut svg = Svg::new(WIDTH, top + 40.0 + lines * (LINE + 4.0) + 8.0);
    let mut x = 1.0;
    for segment in &shown {
        let width = segment.value as f64 * scale;
        svg.rect(x, top, width, 32.0, segment.ink);
        x += width;
    }
    if let Some((value, name)) = &mark {
        let x = 1.0 + *value as f64 * scale;
        svg.level((x, top - 4.0), (x, top + 36.0));
        let anchor = if x > WIDTH / 2.0 { Anchor::End } else { Anchor::Start };
        svg.text(x, top - 8.0, anchor, name);
    }
    for (n, segment) in shown.iter().enumerate() {
        let (column, line) = ((n % 3) as f64, (n / 3) as f64);
        let x = 1.0 + column * (WIDTH - RIGHT) / 3.0;
        let y = top + 40.0 + line * (LINE + 4.0);
        svg.rect(x, y, 12.0, 12.0, segment.ink);
        svg.text(
            x + 18.0,
            y + 11.0,
            Anchor::Start,
            &format!("{}: {}", segment.name, segment.shown),
        );
    }
    Chart::of(svg, title, description)
}

/// One column of a chart over time: values from the bottom up, one for each series.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) label: String,
    pub(super) values: Vec<f64>,
}

/// A series of columns: its name and its paint.
pub(super) type Series<'a> = (&'a str, Ink);

/// A time in which nothing was done, from one column to another; fractions are parts of a column.
#[derive(Debug, Clone)]
pub(super) struct Band {
    pub(super) letter: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A chart of stacked columns over time.
pub(super) struct Columns<'a> {
    pub(super) title: &'a str,
    pub(super) description: String,
    /// Unit of the values, at the top of the axis.
    pub(super) unit: &'a str,
    pub(super) series: &'a [Series<'a>],
    pub(super) columns: &'a [Column],
    pub(super) bands: &'a [Band],
    /// Values that are drawn as lines across the columns `from..to`: from, to, value, name.
    pub(super) levels: &'a [(f64, f64, f64, String)],
}

impl Columns<'_> {
    /// Draws the chart.
    pub(super) fn draw(self) -> Chart {
        let Self { title, description, unit, series, columns, bands, levels } = self;
        let (top, height) = (LINE + 10.0, 150.0);
        let mut svg = Svg::new(WIDTH, top + height + 3.0 * LINE + 10.0);
        let sum = |column: &Column| column.values.iter().sum::<f64>();
        let highest = columns.iter().map(sum).fold(0.0, f64::max);
        // A limit far above the columns would press them flat.
        let in_sight = levels.iter().map(|level| level.2).filter(|value| *value <= highest * 2.5);
        let most = in_sight.fold(highest, f64::max);
        let axis = Axis { bottom: top + height, height, most: nice_above(most) };
        axis.draw(&mut svg, unit);
        let step = (WIDTH - LEFT - RIGHT) / columns.len().max(1) as f64;
        let x_of = |column: f64| LEFT + column * step;
        for Band { from, to, letter } in bands {
            let width = ((to - from) * step).max(2.0);
            svg.rect(x_of(*from), top, width, height, Ink::Stripes);
            svg.text(x_of(*from) + width / 2.0, top - 4.0, Anchor::Middle, letter);
        }
        let gap = if step > 6.0 { 1.0 } else { 0.0 };
        for (n, column) in columns.iter().enumerate() {
            let mut y = axis.bottom;
            for (value, (_, ink)) in column.values.iter().zip(series) {
                let height = axis.length(*value);
                y -= height;
                svg.rect(x_of(n as f64), y, step - gap, height, *ink);
            }
        }
        for (from, to, value, name) in levels.iter().filter(|level| level.2 <= axis.most) {
            let y = axis.bottom - axis.length(*value);
            svg.level((x_of(*from), y), (x_of(*to), y));
            svg.text(x_of(*to), y - 4.0, Anchor::End, name);
        }
        labels(&mut svg, columns, step, axis.bottom);
        legend(&mut svg, series, axis.bottom + 2.0 * LINE + 6.0);
        Chart::of(svg, title, description)
    }
}

/// Draws a histogram. `marks` are names of places on the axis, in columns.
pub(super) fn histogram(
    title: &str,
    description: String,
    unit: &str,
    columns: &[Column],
    marks: &[(f64, String)],
) -> Chart {
    let (top, height) = (LINE * (marks.len() as f64 + 0.5), 130.0);
    let mut svg = Svg::new(WIDTH, top + height + LINE + 10.0);
    let value = |column: &Column| column.values.iter().sum::<f64>();
    let most = columns.iter().map(value).fold(0.0, f64::max);
    let axis = Axis { bottom: top + height, height, most: nice_above(most) };
    axis.draw(&mut svg, unit);
    let step = (WIDTH - LEFT - RIGHT) / columns.len().max(1) as f64;
    for (n, column) in columns.iter().enumerate() {
        let height = axis.length(value(column));
        svg.rect(LEFT + n as f64 * step, axis.bottom - height, step - 2.0, height, Ink::Blue);
    }
    for (n, (place, name)) in marks.iter().enumerate() {
        let x = LEFT + place * step;
        let y = n as f64 * LINE + 4.0;
        svg.level((x, y), (x, axis.bottom));
        let anchor = if x > WIDTH - 120.0 { Anchor::End } else { Anchor::Start };
        let aside = if anchor == Anchor::End { -4.0 } else { 4.0 };
        svg.text(x + aside, y + 11.0, anchor, name);
    }
    labels(&mut svg, columns, step, axis.bottom);
    Chart::of(svg, title, description)
}

/// Draws small columns, one for each label. A column without values is a dash.
pub(super) fn small_columns(
    title: &str,
    description: String,
    unit: &str,
    columns: &[Column],
    ink: Ink,
) -> Chart {
    let (top, height) = (LINE + 4.0, 70.0);
    let mut svg = Svg::new(WIDTH, top + height + LINE + 10.0);
    let value = |column: &Column| column.values.iter().sum::<f64>();
    let most = columns.iter().map(value).fold(0.0, f64::max);
    let axis = Axis { bottom: top + height, height, most: nice_above(most) };
    axis.draw(&mut svg, unit);
    let step = ((WIDTH - LEFT - RIGHT) / columns.len().max(1) as f64).min(60.0);
    for (n, column) in columns.iter().enumerate() {
        let (left, width, height) =
            (LEFT + n as f64 * step, step * 0.8, axis.length(value(column)));
        match column.values.is_empty() {
            true => svg.text(left + width / 2.0, axis.bottom - 4.0, Anchor::Middle, "–"),
            false => svg.rect(left, axis.bottom - height, width, height, ink),
        }
    }
    labels(&mut svg, columns, step, axis.bottom);
    Chart::of(svg, title, description)
}

/// The axis of values, from 0 at the bottom to `most`.
struct Axis {
    bottom: f64,
    height: f64,
    most: f64,
}

impl Axis {
    fn length(&self, value: f64) -> f64 {
        value / self.most * self.height
    }

    /// Draws three numbers with their lines, and the unit above them.
    fn draw(&self, svg: &mut Svg, unit: &str) {
        for part in [0.0, 0.5, 1.0] {
            let (value, y) = (self.most * part, self.bottom - self.height * part);
            svg.line((LEFT, y), (WIDTH - RIGHT, y));
            svg.text(LEFT - 6.0, y + 4.0, Anchor::End, &short(value));
        }
        svg.text(0.0, self.bottom - self.height - 14.0, Anchor::Start, unit);
    }
}

/// Writes the labels of columns below the axis, as many as fit.
fn labels(svg: &mut Svg, columns: &[Column], step: f64, bottom: f64) {
    let every = (LABEL_GAP / step.max(0.1)).ceil().max(1.0) as usize;
    for (n, column) in columns.iter().enumerate().step_by(every) {
        let x = LEFT + n as f64 * step;
        svg.line((x, bottom), (x, bottom + 4.0));
        svg.text(x, bottom + LINE, Anchor::Start, &column.label);
    }
}

fn legend(svg: &mut Svg, series: &[Series<'_>], y: f64) {
    let mut x = LEFT;
    for (name, ink) in series {
        svg.rect(x, y - 10.0, 12.0, 12.0, *ink);
        svg.text(x + 18.0, y, Anchor::Start, name);
        x += 18.0 + name.chars().count() as f64 * 7.0 + 24.0;
    }
}

/// Returns the smallest of 1, 2 and 5 times a power of ten that is not below this value.
fn nice_above(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|nice| *nice >= value).unwrap_or(power * 10.0)
}

/// Formats a number of an axis: `0.5`, `20`, `1 500`, `20k`, `2M`.
fn short(value: f64) -> String {
    let trimmed = |value: f64| {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match value {
        value if value >= 1e6 => format!("{}M", trimmed(value / 1e6)),
        value if value >= 1e4 => format!("{}k", trimmed(value / 1e3)),
        value if value >= 1.0 => trimmed((value * 10.0).round() / 10.0),
        value => trimmed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_in_round_numbers() {
        for (value, nice, text) in [
            (0.0, 1.0, "1"),
            (0.3, 0.5, "0.5"),
            (1.0, 1.0, "1"),
            (13.0, 20.0, "20"),
            (2001.0, 5000.0, "5000"),
            (12_000.0, 20_000.0, "20k"),
            (999_999.0, 1e6, "1M"),
        ] {
            assert_eq!((nice_above(value), &*short(nice)), (nice, text), "{value}");
        }
    }

    #[test]
    fn charts_of_nothing_are_drawn_too() {
        let segment =
            |value| Segment { name: "a".to_owned(), value, shown: "0".to_owned(), ink: Ink::Blue };
        let empty = bar("t", "d".to_owned(), &[segment(0)], None);
        assert!(empty.svg.starts_with("<svg") && !empty.svg.contains("NaN"));
        let columns = Columns {
            title: "t",
            description: String::new(),
            unit: "calls",
            series: &[],
            columns: &[],
            bands: &[],
            levels: &[],
        };
        assert!(!columns.draw().svg.contains("NaN"));
        assert!(!histogram("t", String::new(), "calls", &[], &[]).svg.contains("NaN"));
        assert!(!small_columns("t", String::new(), "%", &[], Ink::Blue).svg.contains("NaN"));
    }
}

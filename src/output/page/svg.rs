//! Writes SVG, element by element.
//!
//! Must hold: each text is escaped. A colour stands as an attribute, so that a chart is in colour
//! where styles are blocked, and as a class, so that the style sheet can change it for a dark screen.
//!
//! Never: writes a `style` attribute, a script, or a link to anything outside of the file.

use std::fmt::Write;

/// Paint of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Blue,
    Sky,
    Green,
    Orange,
    Amber,
    Pink,
    Violet,
    Grey,
    Slate,
    Brown,
    /// Stripes: what is not certain.
    Stripes,
    /// An outline alone: what was not done.
    Hollow,
}

impl Ink {
    /// Returns the class and the colour on white. The style sheet has the colours on black.
    const fn paint(self) -> (&'static str, &'static str) {
        match self {
            Self::Blue => ("blue", "#0072b2"),
            Self::Sky => ("sky", "#3b8fc4"),
            Self::Green => ("green", "#00795a"),
            Self::Orange => ("orange", "#c44900"),
            Self::Amber => ("amber", "#a87400"),
            Self::Pink => ("pink", "#b0568a"),
            Self::Violet => ("violet", "#7a5195"),
            Self::Grey => ("grey", "#6b7280"),
            Self::Slate => ("slate", "#4b5563"),
            Self::Brown => ("brown", "#8c2d04"),
            Self::Stripes => ("stripes", "url(#stripes)"),
            Self::Hollow => ("hollow", "none"),
        }
    }
}

/// Side of a point on which a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A drawing that is being made. Lengths are in units of the drawing.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub(super) const fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// Draws a rectangle. One that has no area is left out.
    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, ink: Ink) {
        if width <= 0.0 || height <= 0.0 {
            return;
        }
        let (class, colour) = ink.paint();
        let stroke = match ink {
            Ink::Stripes | Ink::Hollow => r##" stroke="#4b5563""##,
            _ => "",
        };
        let (x, y) = (plain(x), plain(y));
        let (width, height) = (plain(width), plain(height));
        // A string takes what is written.
        let _ = write!(
            self.body,
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" class="mark {class}" fill="{colour}"{stroke}/>"#
        );
    }

    /// Draws a thin line of the frame of a chart.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.stroke(from, to, r##"class="axis" stroke="#9ca3af""##);
    }

    /// Draws a line that shows a value, such as a limit.
    pub(super) fn level(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.stroke(
            from,
            to,
            r##"class="level" stroke="#111827" stroke-width="1.5" stroke-dasharray="5 3""##,
        );
    }

    fn stroke(&mut self, from: (f64, f64), to: (f64, f64), how: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(plain);
        let _ = write!(self.body, r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" {how}/>"#);
    }

    /// Writes a text whose base line is at this point.
    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        let (x, y, anchor, text) = (plain(x), plain(y), anchor.word(), escaped(text));
        let _ = write!(
            self.body,
            r##"<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="12" font-family="sans-serif" fill="#374151">{text}</text>"##
        );
    }

    /// Returns the element. `title` and `description` are read aloud in place of the drawing.
    pub(super) fn finish(self, title: &str, description: &str) -> String {
        let (width, height) = (plain(self.width), plain(self.height));
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}"><title>{}</title><desc>{}</desc>{}</svg>"#,
            escaped(title),
            escaped(description),
            self.body
        )
    }
}

/// Formats a length with one decimal at most.
fn plain(length: f64) -> String {
    let rounded = (length * 10.0).round() / 10.0;
    // There is no `-0` in the file.
    if rounded == 0.0 { "0".to_owned() } else { rounded.to_string() }
}

/// Escapes the characters that have a meaning in XML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters are not allowed in XML.
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
impl Ink {
    const ALL: [Self; 12] = [
        Self::Blue,
        Self::Sky,
        Self::Green,
        Self::Orange,
        Self::Amber,
        Self::Pink,
        Self::Violet,
        Self::Grey,
        Self::Slate,
        Self::Brown,
        Self::Stripes,
        Self::Hollow,
    ];

    /// Returns all classes with their colours on white.
    pub(super) fn paints() -> impl Iterator<Item = (&'static str, &'static str)> {
        Self::ALL.into_iter().map(Self::paint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_lengths_are_short() {
        let mut svg = Svg::new(10.0, 20.0);
        svg.text(1.0, 2.04, Anchor::Middle, "<b>&\"'\u{7}");
        svg.rect(0.0, -0.04, 5.0, 5.0, Ink::Blue);
        svg.rect(0.0, 0.0, 0.0, 5.0, Ink::Blue);
        let text = svg.finish("a < b", "d");
        assert!(text.contains("&lt;b&gt;&amp;&quot;&#39; </text>"), "{text}");
        assert!(text.contains(r#"x="1" y="2" "#) && text.contains(r#"x="0" y="0""#), "{text}");
        assert_eq!(text.matches("<rect").count(), 1, "nothing is drawn for nothing");
        assert!(text.contains("<title>a &lt; b</title>"), "{text}");
    }
}

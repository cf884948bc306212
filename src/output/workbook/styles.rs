//! The formats of a workbook's cells: texts, numbers in the input's formats, and a fill colour for
//! each outcome.

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder};

use crate::input::sheet::NumberFormat;
use crate::model::money::Price;
use crate::model::outcome::Outcome;

/// Number of the built-in format for text.
const TEXT: u8 = 49;
/// Number of the built-in format for a whole number with separators.
const COUNT: u8 = 3;
/// Colour of the text of headings, dark enough for print.
const INK: u32 = 0x1F_3864;
/// Fill colour of a header row.
const HEAD_FILL: u32 = 0xDC_E6F1;
/// Colour of the line below a heading.
const RULE: u32 = 0xA6_A6A6;
/// Colour of the text of a warning.
const ALARM: u32 = 0xC0_0000;

/// The formats of a workbook.
pub(super) struct Styles {
    pub(super) text: Format,
    pub(super) wrapped: Format,
    pub(super) head: Format,
    pub(super) title: Format,
    pub(super) alarm: Format,
    pub(super) heading: Format,
    pub(super) count: Format,
    pub(super) centred: Format,
    pub(super) note: Format,
    pub(super) share: Format,
    pub(super) money: Format,
    /// One format for each of the input's number formats, in their order.
    pub(super) numbers: Vec<Format>,
    outcomes: Vec<Format>,
}

impl Styles {
    /// Creates the formats of a workbook. `numbers` are the number formats of the input's cells.
    pub(super) fn new(numbers: &[NumberFormat], price: Option<&Price>) -> Self {
        let text = Format::new().set_num_format_index(TEXT);
        let at_top = text.clone().set_align(FormatAlign::Top);
        let filled = |outcome| match fill(outcome) {
            Some(colour) => at_top.clone().set_background_color(Color::RGB(colour)),
            None => at_top.clone(),
        };
        Self {
            wrapped: at_top.clone().set_text_wrap(),
            head: text
                .clone()
                .set_bold()
                .set_text_wrap()
                .set_align(FormatAlign::VerticalCenter)
                .set_font_color(Color::RGB(INK))
                .set_background_color(Color::RGB(HEAD_FILL))
                .set_border_bottom(FormatBorder::Thin)
                .set_border_bottom_color(Color::RGB(RULE)),
            title: text.clone().set_bold().set_font_size(16).set_font_color(Color::RGB(INK)),
            alarm: text.clone().set_bold().set_font_color(Color::RGB(ALARM)),
            heading: text
                .clone()
                .set_bold()
                .set_font_color(Color::RGB(INK))
                .set_border_bottom(FormatBorder::Thin)
                .set_border_bottom_color(Color::RGB(RULE)),
            count: Format::new().set_num_format_index(COUNT),
            centred: Format::new().set_align(FormatAlign::Top).set_align(FormatAlign::Center),
            note: text.clone().set_indent(1),
            share: Format::new().set_num_format("0.0%"),
            money: Format::new().set_num_format(money_format(price)),
            numbers: numbers.iter().map(number_format).collect(),
            outcomes: Outcome::ALL.into_iter().map(filled).collect(),
            text,
        }
    }

    /// Returns the format of the cell that names an outcome.
    pub(super) fn outcome(&self, outcome: Outcome) -> &Format {
        self.outcomes.get(outcome as usize).unwrap_or(&self.text)
    }
}

/// Returns the fill colour of an outcome, if it has one. The word in the cell says the same as the
/// colour.
const fn fill(outcome: Outcome) -> Option<u32> {
    match outcome {
        Outcome::Match => Some(0xE2_EFDA),
        Outcome::Mismatch => Some(0xF8_CBAD),
        Outcome::NotSure | Outcome::Failed => Some(0xFF_F2CC),
        Outcome::Rejected => Some(0xED_EDED),
        Outcome::InDoubt | Outcome::Unknown => Some(0xE4_DFEC),
        Outcome::Refused | Outcome::Unavailable => Some(0xFC_E4D6),
        Outcome::NotSent => None,
    }
}

fn number_format(format: &NumberFormat) -> Format {
    match format {
        NumberFormat::General => Format::new(),
        NumberFormat::BuiltIn(id) => Format::new().set_num_format_index(*id),
        NumberFormat::Code(code) => Format::new().set_num_format(code.as_str()),
    }
}

/// Returns the number format of an amount: `"Rp"#,##0` for rupiah, and the code and the decimals
/// for another currency.
fn money_format(price: Option<&Price>) -> String {
    let Some(price) = price else { return "#,##0".to_owned() };
    let decimals = price.currency.decimals() as usize;
    let fraction = if decimals == 0 { String::new() } else { format!(".{}", "0".repeat(decimals)) };
    match price.currency.code() {
        "IDR" => "\"Rp\"#,##0".to_owned(),
        code => format!("\"{code}\" #,##0{fraction}"),
    }
}

//! The columns that an output adds to those of the input: the one list of their names.
//!
//! Must hold: names and order never change, because users and programs read them.

use super::texts::Text;

/// A column that an output adds to those of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// End state of the row.
    Outcome,
    /// The vendor's result code, raw.
    Result,
    /// `yes`, `no` or `unknown`: whether the row's call is on the invoice.
    Charged,
    /// Number of the row's calls whose charge is unknown.
    Possible,
    /// The vendor's order number.
    OrderNo,
    /// The vendor's time of the call, without a zone.
    HandleTime,
    /// The vendor's remark.
    Remark,
    /// The vendor's number of the request.
    RequestId,
    /// The vendor's status.
    Status,
    /// Reason of the outcome: the vendor's, or our own.
    Reason,
    /// Origin of the answer: a call of this run, an earlier run, or a row above.
    Source,
    /// Number of times that the row was sent.
    Attempts,
}

impl Column {
    /// All columns, in the order of a CSV.
    pub const ALL: [Self; 12] = [
        Self::Outcome,
        Self::Result,
        Self::Charged,
        Self::Possible,
        Self::OrderNo,
        Self::HandleTime,
        Self::Remark,
        Self::RequestId,
        Self::Status,
        Self::Reason,
        Self::Source,
        Self::Attempts,
    ];

    /// Returns the header in a CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outcome => "ck_outcome",
            Self::Result => "ck_result",
            Self::Charged => "ck_charged",
            Self::Possible => "ck_possible",
            Self::OrderNo => "ck_order_no",
            Self::HandleTime => "ck_handle_time",
            Self::Remark => "ck_remark",
            Self::RequestId => "ck_request_id",
            Self::Status => "ck_status",
            Self::Reason => "ck_reason",
            Self::Source => "ck_source",
            Self::Attempts => "ck_attempts",
        }
    }

    /// Returns the name for people. In a workbook the header has both names: `Result (ck_outcome)`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Outcome => "Result",
            Self::Result => "Result code",
            Self::Charged => "Charged",
            Self::Possible => "Possible charges",
            Self::OrderNo => "Order number",
            Self::HandleTime => "Time at the vendor",
            Self::Remark => "Remark",
            Self::RequestId => "Request id",
            Self::Status => "Status",
            Self::Reason => "Reason",
            Self::Source => "Answer from",
            Self::Attempts => "Times sent",
        }
    }

    /// Returns the vendor's text that the column shows unchanged; `None` for a column of our own.
    /// The reason is our own: it is the vendor's only if the vendor gave one.
    pub const fn text(self) -> Option<Text> {
        match self {
            Self::Result => Some(Text::Result),
            Self::OrderNo => Some(Text::OrderNo),
            Self::HandleTime => Some(Text::HandleTime),
            Self::Remark => Some(Text::Remark),
            Self::RequestId => Some(Text::RequestId),
            Self::Status => Some(Text::Status),
            Self::Outcome
            | Self::Charged
            | Self::Possible
            | Self::Reason
            | Self::Source
            | Self::Attempts => None,
        }
    }

    /// Returns the column that a header names: `ck_outcome` in a CSV, `Result (ck_outcome)` in a
    /// workbook.
    ///
    /// ```
    /// use ceknik::model::column::Column;
    ///
    /// assert_eq!(Column::of_header(" ck_order_no "), Some(Column::OrderNo));
    /// assert_eq!(Column::of_header("Result (ck_outcome)"), Some(Column::Outcome));
    /// assert_eq!(Column::of_header("Result"), None);
    /// ```
    pub fn of_header(header: &str) -> Option<Self> {
        let header = header.trim();
        let inner = header.strip_suffix(')').and_then(|rest| rest.rsplit_once('('));
        let name = inner.map_or(header, |(_, name)| name);
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Column;

    #[test]
    fn columns_are_known_by_their_headers() {
        for (header, column) in [
            ("ck_outcome", Some(Column::Outcome)),
            ("Result (ck_outcome)", Some(Column::Outcome)),
            (" Charged (ck_charged) ", Some(Column::Charged)),
            ("ck_odd", None),
            ("Result", None),
            ("(ck_outcome", None),
        ] {
            assert_eq!(Column::of_header(header), column, "{header}");
        }
    }
}

//! Lines that are fitted to the width of a terminal.

/// Separator of parts.
pub(super) const BETWEEN: &str = " · ";

/// Distributes parts over at most `most` lines of at most `columns` characters. Parts for which
/// there is no room are left out.
pub(super) fn fitted(parts: &[String], columns: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let width = |text: &str| text.chars().count();
    for part in parts {
        let begun = lines.len();
        match lines.last_mut() {
            Some(line) if width(line) + width(BETWEEN) + width(part) <= columns => {
                *line += BETWEEN;
                *line += part;
            }
            _ if begun < most => lines.push(cut(part, columns)),
            _ => break,
        }
    }
    lines
}

/// Cuts a line to a number of characters.
fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    line.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_fitted_to_the_terminal() {
        let parts = ["1 of 9 done", "20s left", "charged 1", "2 calls/s"].map(str::to_owned);
        let all = "1 of 9 done · 20s left · charged 1 · 2 calls/s";
        for (columns, most, lines) in [
            (80, 2, &[all][..]),
            (26, 2, &["1 of 9 done · 20s left", "charged 1 · 2 calls/s"]),
            (26, 1, &["1 of 9 done · 20s left"]),
            (20, 2, &["1 of 9 done", "20s left · charged 1"]),
            (8, 1, &["1 of 9 …"]),
        ] {
            assert_eq!(fitted(&parts, columns, most), lines, "{columns}");
        }
    }
}

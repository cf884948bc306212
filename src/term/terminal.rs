//! The terminal on standard error, as a place for the block of the live progress.
//!
//! Must hold: no line of the block is as wide as the terminal, so that the terminal wraps none, and
//! a terminal that becomes narrower leaves nothing of it behind.
//!
//! Never: takes a width of 0 for one, which terminals without a size report.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;
use rustix::termios::tcgetwinsize;

/// Width of a terminal that reports none.
const USUAL_WIDTH: usize = 80;
/// Least and most columns of the block. A terminal may become narrower at any time, and a line that
/// is short is rarely wrapped by that.
const BLOCK: (usize, usize) = (20, 79);

/// Checks whether a live block can be drawn: standard error is a terminal that moves its cursor.
pub(super) fn can_draw() -> bool {
    io::stderr().is_terminal()
        && env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// Returns the number of columns of the terminal.
fn columns() -> usize {
    let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { USUAL_WIDTH } else { columns }
}

/// Returns the number of columns that a line of the block may have.
pub(super) fn block_columns() -> usize {
    columns().saturating_sub(1).clamp(BLOCK.0, BLOCK.1)
}

/// The terminal on standard error. Instead of the cursor movements of `indicatif`, which counts the
/// lines at the former width, it erases what it has drawn by itself.
#[derive(Debug, Default)]
pub(super) struct StderrTerminal {
    state: Mutex<Block>,
}

#[derive(Debug, Default)]
struct Block {
    /// Texts since the last flush: each line of the block, followed by the spaces that fill it up.
    texts: Vec<String>,
    /// Widths of the lines on the terminal.
    drawn: Vec<usize>,
}

impl Block {
    /// Returns the bytes that erase the lines on the terminal and draw the new ones.
    fn redraw(&mut self, columns: usize) -> String {
        let mut out = String::new();
        // A line that is now wider than the terminal is wrapped, on most terminals.
        let lines: usize = self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        if lines > 1 {
            out += &format!("\x1b[{}A", lines - 1);
        }
        if lines > 0 {
            out += "\r\x1b[J";
        }
        let lines: Vec<String> = self.texts.drain(..).step_by(2).collect();
        self.drawn = lines.iter().map(|line| line.chars().count()).collect();
        out + &lines.join("\r\n")
    }
}

impl TermLike for StderrTerminal {
    fn width(&self) -> u16 {
        u16::try_from(block_columns()).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut block = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        block.texts.push(text.to_owned());
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut block = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = block.redraw(columns());
        io::stderr().write_all(bytes.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_erased_at_the_width_that_the_terminal_has_now() {
        let mut block = Block::default();
        let mut draw = |lines: &[&str], columns| {
            block.texts = lines.iter().flat_map(|line| [(*line).to_owned(), "  ".into()]).collect();
            block.redraw(columns)
        };
        assert_eq!(
            draw(&["a bar of 20 columns.", "ten column"], 80),
            "a bar of 20 columns.\r\nten column"
        );
        assert_eq!(draw(&["bar"], 80), "\x1b[1A\r\x1b[Jbar");
        assert_eq!(
            draw(&["a bar of 20 columns.", "ten column"], 80),
            "\r\x1b[Ja bar of 20 columns.\r\nten column"
        );
        assert_eq!(draw(&[], 8), "\x1b[4A\r\x1b[J", "three lines and two, where there were two");
        assert_eq!(draw(&[], 8), "", "nothing is there");
    }
}

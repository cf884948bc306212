//! What a user can do after a run.

/// Something that a user can do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// Advice, without a colon or a full stop at its end.
    advice: String,
    /// Command to paste.
    command: Option<String>,
}

impl NextStep {
    /// Creates advice without a command.
    pub fn advice(advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), command: None }
    }

    /// Creates advice with the command that follows it.
    pub fn command(advice: impl Into<String>, command: String) -> Self {
        Self { advice: advice.into(), command: Some(command) }
    }
}

/// Formats the steps as lines. A command has a line of its own, so that it is easily copied.
pub(super) fn next_lines(steps: &[NextStep]) -> String {
    let mut text = String::new();
    for (n, NextStep { advice, command }) in steps.iter().enumerate() {
        let label = if n == 0 { "next" } else { "" };
        let colon = if command.is_some() { ":" } else { "" };
        text += &format!("  {label:<11}{advice}{colon}\n");
        if let Some(command) = command {
            text += &format!("               {command}\n");
        }
    }
    text
}

/// Formats the steps as one line; `None` if there is nothing to do.
pub fn next_in_one_line(steps: &[NextStep]) -> Option<String> {
    let step = |NextStep { advice, command }: &NextStep| match command {
        Some(command) => format!("{advice}: {command}"),
        None => advice.clone(),
    };
    let steps: Vec<String> = steps.iter().map(step).collect();
    (!steps.is_empty()).then(|| steps.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_as_lines_and_as_one_line() {
        let again = NextStep::command("the same command continues", "ceknik run a.csv".to_owned());
        for (steps, lines, line) in [
            (vec![], "", None),
            (vec![NextStep::advice("look at it")], "  next       look at it\n", Some("look at it")),
            (
                vec![NextStep::advice("look at it"), again],
                "  next       look at it\n             the same command continues:\n               ceknik run a.csv\n",
                Some("look at it; the same command continues: ceknik run a.csv"),
            ),
        ] {
            assert_eq!(next_lines(&steps), lines);
            assert_eq!(next_in_one_line(&steps).as_deref(), line);
        }
    }
}

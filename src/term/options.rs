//! The settings for the output on standard error.

use clap::ColorChoice;

use super::outlet::LogForm;
use crate::model::zone::Zone;

/// Settings for the output on standard error.
#[derive(Debug, Clone)]
pub struct ScreenOptions {
    /// Form of the lines.
    pub form: LogForm,
    /// Number of levels of detail above the usual: 1 adds debug lines, 2 or more add trace lines.
    pub verbosity: u8,
    /// True if only the end of a command that did not succeed and questions are shown.
    pub quiet: bool,
    /// Use of color in the logs.
    pub color: ColorChoice,
    /// True if progress is shown.
    pub progress: bool,
    /// Zone in which times are shown to people.
    pub zone: Zone,
}

impl Default for ScreenOptions {
    fn default() -> Self {
        Self {
            form: LogForm::Text,
            verbosity: 0,
            quiet: false,
            color: ColorChoice::Auto,
            progress: false,
            zone: Zone::of_system().unwrap_or_else(|_| Zone::utc()),
        }
    }
}

//! Makes the output of a run: writes it to a temporary file beside its place, then puts it in its
//! place.

use std::io::{self, Write};
use std::path::Path;

use super::finish::Output;
use crate::commands::interrupted;
use crate::config::Destination;
use crate::engine::RunState;
use crate::error::Error;
use crate::fs::AtomicFile;
use crate::ledger::{Ledger, OpenRun};
use crate::model::mask::mask_path;
use crate::model::stop::StopReason;
use crate::output::{BookOptions, RowTotals, RunReport, Writer};
use crate::passes::{Input, PassError, project};
use crate::signals::Interrupts;

/// The parts that an output is made of, apart from the run's state and the ledger.
pub(super) struct Results<'a> {
    pub(super) destination: &'a Destination,
    pub(super) input: &'a Input,
    pub(super) fingerprint: [u8; 16],
    pub(super) run: &'a OpenRun,
    pub(super) interrupts: &'a Interrupts,
    /// True if the partial output of an earlier start stays beside the output.
    pub(super) keeps_partial: bool,
}

impl Results<'_> {
    /// Writes the output to standard output, or to a temporary file, which is then put in its
    /// place.
    pub(super) fn make<L: Ledger>(
        &self,
        report: &RunReport,
        state: &RunState,
        ledger: &mut L,
    ) -> Result<Output, Error> {
        let Some(path) = self.destination.finished(false) else {
            let (written, _) = self.project_to(io::stdout(), report, state, ledger)?;
            return Ok(Output { written, placed: Ok(None) });
        };
        let file = AtomicFile::beside(path).map_err(PassError::from)?;
        let (written, file) = self.project_to(file, report, state, ledger)?;
        Ok(Output { written, placed: self.place(file, report.stop, &written) })
    }

    fn project_to<L: Ledger, W: Write + Send>(
        &self,
        to: W,
        report: &RunReport,
        state: &RunState,
        ledger: &mut L,
    ) -> Result<(RowTotals, W), Error> {
        let Self { destination, input, fingerprint, interrupts, .. } = self;
        let folder = destination.folder().unwrap_or_default();
        let options = BookOptions {
            layout: &input.layout,
            formats: input.source.sheet().map(|sheet| sheet.formats.as_slice()).unwrap_or_default(),
            input: &report.input,
            run: report.run,
            price: report.spending.price.as_ref(),
        };
        let mut writer =
            Writer::new(to, destination.format(), options, &folder).map_err(PassError::from)?;
        let (table, tally) = (&state.table, &state.tally);
        // The signals that have come so far do not stop the output, and neither does a first
        // signal.
        let heard = interrupts.count().max(1);
        let is_interrupted = || interrupts.count() > heard;
        let written =
            project(input, *fingerprint, table, tally, ledger, &mut writer, &is_interrupted)
                .map_err(|error| interrupted(error, interrupts))?;
        Ok((written, writer.finish(report, &written).map_err(PassError::from)?))
    }

    /// Puts the output in its place, and returns its path, masked. A finished output replaces an
    /// older one, and the partial output of an earlier start is removed. A partial output leaves an
    /// older finished one alone.
    fn place(
        &self,
        file: AtomicFile,
        stop: Option<StopReason>,
        written: &RowTotals,
    ) -> Result<Option<String>, Error> {
        let destination = self.destination;
        let partial = destination.partial(written.from_sandbox);
        let finished = destination.finished(written.from_sandbox).map(Path::to_owned);
        let path = if stop.is_some() { partial.clone() } else { finished };
        let Some(path) = path else { return Ok(None) };
        file.put(&path).map_err(PassError::from)?;
        // If no earlier start can have written a partial output, a file of that name is not ours.
        let is_ours = self.run.found.had_starts() && !self.keeps_partial;
        if let Some(partial) = partial.filter(|partial| is_ours && *partial != path) {
            // There is no partial output if the earlier start was killed.
            let _ = std::fs::remove_file(partial);
        }
        // The output may be named after the input, whose name may contain a NIK.
        Ok(Some(mask_path(&path)))
    }
}

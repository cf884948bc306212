//! Makes the output of a run: writes it to a temporary file beside its place, then puts it in its
//! place.

use std::io::{self, Write};
use std::path::Path;

use super::finish::Output;
use crate::commands::interrupted;
use crate::config::Destination;
use crate::engine::RunState;
use crate::error::Error;
use crate::fs::{AtomicFile, Sha256Writer};
use crate::ledger::Facts;
use crate::model::mask::mask_path;
use crate::model::outcome::Outcome;
use crate::output::{BookOptions, OutputFile, RowTotals, RunReport, Writer};
use crate::passes::{Input, PassError, Projection, project};
use crate::rules::label_names::LabelNames;
use crate::signals::Interrupts;

/// The parts that an output is made of, apart from the run's state and the ledger.
pub(super) struct Results<'a> {
    pub(super) destination: &'a Destination,
    pub(super) input: &'a Input,
    pub(super) fingerprint: [u8; 16],
    pub(super) label_names: &'a LabelNames,
    /// Outcomes of the rows that are written; all if it is empty.
    pub(super) only: &'a [Outcome],
    /// True if the output is that of a run that has stopped.
    pub(super) is_partial: bool,
    /// True if earlier starts of the run may have written a partial output.
    pub(super) had_starts: bool,
    pub(super) interrupts: &'a Interrupts,
}

impl Results<'_> {
    /// Writes the output to standard output, or to a temporary file, which is then put in its
    /// place.
    pub(super) fn make<F: Facts + ?Sized>(
        &self,
        report: &RunReport,
        state: &RunState,
        facts: &mut F,
    ) -> Result<Output, Error> {
        let Some(path) = self.destination.finished(false) else {
            let (written, _, sha256) = self.project_to(io::stdout(), report, state, facts)?;
            return Ok(Output { written, placed: Ok(Some(OutputFile { path: None, sha256 })) });
        };
        let file = AtomicFile::beside(path).map_err(PassError::from)?;
        let (written, file, sha256) = self.project_to(file, report, state, facts)?;
        let placed = self.place(file, &written);
        let placed = placed.map(|path| path.map(|path| OutputFile { path: Some(path), sha256 }));
        Ok(Output { written, placed })
    }

    /// Writes the output, and returns the sums over its rows, the destination and the SHA-256 of what was
    /// written.
    fn project_to<F: Facts + ?Sized, W: Write + Send>(
        &self,
        to: W,
        report: &RunReport,
        state: &RunState,
        facts: &mut F,
    ) -> Result<(RowTotals, W, String), Error> {
        let Self { destination, input, fingerprint, only, interrupts, .. } = self;
        let folder = destination.folder().unwrap_or_default();
        let options = BookOptions {
            layout: &input.layout,
            formats: input.source.sheet().map(|sheet| sheet.formats.as_slice()).unwrap_or_default(),
            input: &report.input,
            run: report.run,
            price: report.spending.price.as_ref(),
        };
        let to = Sha256Writer::new(to);
        let mut writer =
            Writer::new(to, destination.format(), options, &folder).map_err(PassError::from)?;
        let (table, tally) = (&state.table, &state.tally);
        // The signals that have come so far do not stop the output, and neither does a first
        // signal.
        let heard = interrupts.count().max(1);
        let is_interrupted = || interrupts.count() > heard;
        let (fingerprint, only) = (*fingerprint, *only);
        let what = Projection { input, fingerprint, table, tally, only };
        let written = project(&what, facts, &mut writer, &is_interrupted)
            .map_err(|error| interrupted(error, interrupts))?;
        let (to, sha256) = writer.finish(report, &written).map_err(PassError::from)?.finish();
        Ok((written, to, sha256))
    }

    /// Puts the output in its place, and returns its path, masked. A finished output replaces an
    /// older one, and the partial output of an earlier start is removed. A partial output leaves an
    /// older finished one alone.
    fn place(&self, file: AtomicFile, written: &RowTotals) -> Result<Option<String>, Error> {
        let destination = self.destination;
        let partial = destination.partial(written.from_sandbox);
        let finished = destination.finished(written.from_sandbox).map(Path::to_owned);
        let path = if self.is_partial { partial.clone() } else { finished };
        let Some(path) = path else { return Ok(None) };
        file.put(&path).map_err(PassError::from)?;
        // If no earlier start can have written a partial output, a file of that name is not ours.
        if let Some(partial) = partial.filter(|partial| self.had_starts && *partial != path) {
            // There is no partial output if the earlier start was killed.
            let _ = std::fs::remove_file(partial);
        }
        // The output may be named after the input, whose name may contain a NIK or a name.
        Ok(Some(self.label_names.mask(&mask_path(&path)).into_owned()))
    }
}

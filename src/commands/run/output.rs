//! Makes the output of a run: writes it to a temporary file beside its place, then puts it in its
//! place.
//!
//! Must hold: an older output is replaced by a whole one, or not at all.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use super::finish::Output;
use crate::commands::interrupted;
use crate::config::Destination;
use crate::engine::RunState;
use crate::error::Error;
use crate::fs::{AtomicFile, Sha256Writer, unnamed_file};
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

/// File to which an output is written before it is in its place.
enum Draft {
    /// Standard output, which needs no place.
    Printed(io::Stdout),
    /// A file without a name, for standard output.
    Spooled(File),
    /// A file beside the place.
    Beside(AtomicFile),
}

/// An output that is written, and not yet in its place.
pub(super) struct Unplaced {
    written: RowTotals,
    draft: Draft,
    sha256: String,
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Printed(to) => to.write(bytes),
            Self::Spooled(to) => to.write(bytes),
            Self::Beside(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Printed(to) => to.flush(),
            Self::Spooled(to) => to.flush(),
            Self::Beside(to) => to.flush(),
        }
    }
}

impl Results<'_> {
    /// Writes the output, and puts it in its place. Standard output gets it as it is written.
    pub(super) fn make<F: Facts + ?Sized>(
        &self,
        report: &RunReport,
        state: &RunState,
        facts: &mut F,
    ) -> Result<Output, Error> {
        let draft = match self.destination.finished(false) {
            None => Draft::Printed(io::stdout()),
            Some(path) => Draft::Beside(AtomicFile::beside(path).map_err(PassError::from)?),
        };
        Ok(self.put(self.write_to(draft, report, state, facts)?))
    }

    /// Writes the output to a temporary file, and puts it nowhere: it may have to be written again.
    pub(super) fn write<F: Facts + ?Sized>(
        &self,
        report: &RunReport,
        state: &RunState,
        facts: &mut F,
    ) -> Result<Unplaced, Error> {
        let draft = match self.destination.finished(false) {
            None => unnamed_file(&std::env::temp_dir()).map(Draft::Spooled),
            Some(path) => AtomicFile::beside(path).map(Draft::Beside),
        };
        self.write_to(draft.map_err(PassError::from)?, report, state, facts)
    }

    /// Puts an output in its place.
    pub(super) fn put(&self, output: Unplaced) -> Output {
        let Unplaced { written, draft, sha256 } = output;
        let placed = match draft {
            Draft::Printed(_) => Ok(Some(None)),
            Draft::Spooled(file) => print_all(file).map(|()| Some(None)),
            Draft::Beside(file) => self.place(file, &written).map(|path| path.map(Some)),
        };
        let placed = placed.map(|path| path.map(|path| OutputFile { path, sha256 }));
        Output { written, placed }
    }

    fn write_to<F: Facts + ?Sized>(
        &self,
        draft: Draft,
        report: &RunReport,
        state: &RunState,
        facts: &mut F,
    ) -> Result<Unplaced, Error> {
        let Self { destination, input, fingerprint, only, interrupts, .. } = self;
        let folder = destination.folder().unwrap_or_default();
        let options = BookOptions {
            layout: &input.layout,
            formats: input.source.sheet().map(|sheet| sheet.formats.as_slice()).unwrap_or_default(),
            input: &report.input,
            run: report.run,
            price: report.spending.price.as_ref(),
        };
        let to = Sha256Writer::new(draft);
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
        let (draft, sha256) = writer.finish(report, &written).map_err(PassError::from)?.finish();
        Ok(Unplaced { written, draft, sha256 })
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

fn print_all(mut file: File) -> Result<(), Error> {
    let mut print = || {
        file.rewind()?;
        io::copy(&mut file, &mut io::stdout())?;
        io::stdout().flush()
    };
    Ok(print().map_err(PassError::from)?)
}

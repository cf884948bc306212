//! Opens the bytes of an input, as often as needed. The bytes are in a regular file, or in an
//! unnamed temporary file that keeps standard input or the rows of a workbook.
//!
//! Must hold: each `open` reads from the first byte. A temporary file has mode 0600 and no name
//! before the first byte is written to it.
//!
//! Never: leaves a copy of the user's data behind, or opens a named pipe, because opening a pipe
//! waits until somebody writes to it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::error::{InputError, Problem};
use super::form::ZIP;
use super::reader::SourceReader;
use super::sheet::{self, Sheet};
use crate::fs::{sha256_of, unnamed_file};
use crate::model::mask::mask_digits;

/// Label of standard input.
pub const STDIN: &str = "standard input";

/// An input that can be read several times.
#[derive(Clone, Debug)]
pub struct Source {
    label: String,
    /// Path of the file that the user named. `None` for a stream.
    path: Option<PathBuf>,
    place: Location,
    /// SHA-256 of the file, and the state in which the file was hashed.
    hashed: Option<Hashed>,
    /// Facts about a workbook's sheet that its text does not contain. `None` for any other input.
    sheet: Option<Arc<Sheet>>,
}

/// A file that was hashed.
#[derive(Clone, Debug)]
struct Hashed {
    sha256: String,
    /// Length and time of the last change; `None` for a stream, which nobody changes.
    state: Option<(u64, SystemTime)>,
}

#[derive(Clone, Debug)]
enum Location {
    Path(PathBuf),
    Spool(Arc<File>),
}

impl Source {
    /// Creates a source that reads a regular file.
    ///
    /// # Errors
    /// The problem is [`Problem::Missing`] if there is no such file, [`Problem::NotAFile`] if the
    /// path names a folder, a pipe, a socket or a device, and [`Problem::Io`] if the system does
    /// not return the file's type.
    pub fn file(path: &Path) -> Result<Self, InputError> {
        let source = Self {
            label: mask_digits(&path.display().to_string()).into_owned(),
            path: Some(path.to_owned()),
            place: Location::Path(path.to_owned()),
            hashed: None,
            sheet: None,
        };
        // The type is checked before the file is opened, because opening a pipe waits for a writer.
        let metadata =
            fs::metadata(path).map_err(|error| source.error(io_problem("read it", error)))?;
        match kind_of(metadata.file_type()) {
            None => Ok(source),
            Some(kind) => Err(source.error(Problem::NotAFile(kind))),
        }
    }

    /// Reads standard input to its end into an unnamed temporary file in `folder`.
    ///
    /// # Errors
    /// Returns [`Problem::Io`] if standard input cannot be read, or the temporary file cannot be
    /// made or written.
    pub fn stdin(folder: &Path) -> Result<Self, InputError> {
        Self::spool(io::stdin().lock(), folder)
    }

    /// Reads a stream to its end into an unnamed temporary file in `folder`. Messages call the
    /// source "standard input".
    ///
    /// # Errors
    /// Returns [`Problem::Io`] if the stream cannot be read, or the temporary file cannot be made
    /// or written.
    pub fn spool(mut stream: impl Read, folder: &Path) -> Result<Self, InputError> {
        let failed = |doing| move |error| InputError::new(STDIN, Problem::Spool(doing, error));
        let mut file = unnamed_file(folder).map_err(failed("make a temporary file for it"))?;
        io::copy(&mut stream, &mut file).map_err(failed("copy it to a temporary file"))?;
        let place = Location::Spool(Arc::new(file));
        Ok(Self { label: STDIN.to_owned(), path: None, place, hashed: None, sheet: None })
    }

    /// Returns the source with the SHA-256 of its bytes. To be called before a workbook is replaced by
    /// its text.
    ///
    /// # Errors
    /// Returns an error if the source cannot be read.
    pub fn with_sha256(self) -> Result<Self, InputError> {
        let failed = |error| self.error(io_problem("read it", error));
        let state = self.state().map_err(failed)?;
        let sha256 = sha256_of(self.open()?).map_err(failed)?;
        Ok(Self { hashed: Some(Hashed { sha256, state }), ..self })
    }

    /// Returns the SHA-256 of the source's bytes, in hexadecimal. It is empty if the source was not
    /// hashed.
    pub fn sha256(&self) -> &str {
        self.hashed.as_ref().map_or("", |hashed| &hashed.sha256)
    }

    /// Checks that the file was not changed since it was hashed.
    ///
    /// # Errors
    /// Returns an error if the file is gone. `Ok(false)` if it was changed.
    pub fn is_as_hashed(&self) -> Result<bool, InputError> {
        let Some(Hashed { state: Some(state), .. }) = self.hashed else { return Ok(true) };
        let now = self.state().map_err(|error| self.error(io_problem("read it", error)))?;
        Ok(now == Some(state))
    }

    /// Returns the length of the file and the time of its last change; `None` for a stream.
    fn state(&self) -> io::Result<Option<(u64, SystemTime)>> {
        let Some(path) = &self.path else { return Ok(None) };
        let metadata = fs::metadata(path)?;
        Ok(Some((metadata.len(), metadata.modified()?)))
    }

    /// Replaces a workbook by the text of its chosen sheet, kept in an unnamed temporary file in
    /// `folder`. Any other source is returned unchanged.
    ///
    /// # Errors
    /// Returns an error if the source cannot be opened, if it is a ZIP file but no `.xlsx`
    /// workbook, if the workbook is damaged or too large, if no sheet or more than one sheet fits,
    /// or if the temporary files cannot be written.
    pub fn workbook_to_text(
        self,
        options: sheet::ChoiceOptions<'_>,
        folder: &Path,
    ) -> Result<Self, InputError> {
        let mut head = [0; ZIP.len()];
        let is_zip = self.open()?.read_exact(&mut head).is_ok() && head == *ZIP;
        if !is_zip {
            return Ok(self);
        }
        let converted = sheet::to_text(self.open()?, options, folder);
        let (text, sheet) = converted.map_err(|problem| self.error(problem))?;
        Ok(self.with_sheet(text, sheet))
    }

    /// Returns a copy of this source that reads `spool`, the text of `sheet`. Label and path stay
    /// those of the workbook.
    fn with_sheet(&self, spool: File, sheet: Sheet) -> Self {
        let (place, sheet) = (Location::Spool(Arc::new(spool)), Some(Arc::new(sheet)));
        Self { place, sheet, ..self.clone() }
    }

    /// Returns the sheet that the rows come from, if the input is a workbook.
    pub fn sheet(&self) -> Option<&Sheet> {
        self.sheet.as_deref()
    }

    /// Returns the name of the source in messages: the path with long runs of digits masked, or
    /// "standard input".
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the name of the file without its folder, with long runs of digits masked, or "standard
    /// input".
    pub fn name(&self) -> String {
        let Some(path) = &self.path else { return STDIN.to_owned() };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        mask_digits(&name).into_owned()
    }

    /// Returns the path that the user named, or `None` if the source is a stream.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Opens a reader that starts at the first byte.
    ///
    /// # Errors
    /// The problem is [`Problem::Missing`] if the file is no longer there, and [`Problem::Io`] if
    /// the file cannot be opened for another reason.
    pub fn open(&self) -> Result<SourceReader, InputError> {
        let file = match &self.place {
            Location::Path(path) => File::open(path).map(Arc::new),
            Location::Spool(file) => Ok(Arc::clone(file)),
        };
        let file = file.map_err(|error| self.error(io_problem("open it", error)))?;
        Ok(SourceReader::of(file))
    }

    /// Makes an error of this source that has no place.
    pub(super) fn error(&self, problem: impl Into<Problem>) -> InputError {
        InputError::new(&self.label, problem)
    }
}

fn io_problem(doing: &'static str, error: io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::Missing,
        _ => Problem::Io(doing, error),
    }
}

/// Names the kind of a file in messages. Returns `None` for a regular file.
fn kind_of(kind: fs::FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::error::hints;

    fn read_all(source: &Source) -> Vec<u8> {
        let mut bytes = Vec::new();
        source.open().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_file_is_read_from_the_start_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "nik,nama\n").unwrap();
        let source = Source::file(&path).unwrap();
        assert_eq!(read_all(&source), b"nik,nama\n");
        assert_eq!(read_all(&source), b"nik,nama\n");
        assert_eq!(source.path(), Some(path.as_path()));
    }

    #[test]
    fn folders_and_devices_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Source::file(folder.path()).unwrap_err();
        assert!(matches!(error.problem(), Problem::NotAFile("a folder")), "{error}");
        let error = Source::file(&folder.path().join("3275014101900001.csv")).unwrap_err();
        assert!(matches!(error.problem(), Problem::Missing), "{error}");
        assert!(error.to_string().ends_with("/******.csv: no such file"), "{error}");
        let error = Source::file(Path::new("/dev/null")).unwrap_err();
        assert!(error.to_string().contains("a device"), "{error}");
        assert!(hints::of_input(error.problem()).unwrap().contains("give -"));
        let socket = folder.path().join("s");
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(Source::file(&socket).unwrap_err().to_string().contains("a socket"));
    }

    #[test]
    fn a_stream_is_kept_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let text = "nik,nama\n".repeat(10_000);
        let source = Source::spool(text.as_bytes(), folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let Location::Spool(file) = &source.place else { panic!("not spooled") };
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);

        // Two readers at the same time, each with its own position.
        let (mut one, mut two) = (source.open().unwrap(), source.open().unwrap());
        let (mut a, mut b) = ([0; 3], [0; 8]);
        one.read_exact(&mut a).unwrap();
        two.read_exact(&mut b).unwrap();
        assert_eq!((&a, &b), (b"nik", b"nik,nama"));
        assert_eq!(read_all(&source), text.as_bytes());
        assert_eq!(source.path(), None);
    }

    #[test]
    fn a_stream_that_breaks_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let error = Source::spool(Broken, folder.path()).unwrap_err();
        assert_eq!(error.to_string(), "standard input: cannot copy it to a temporary file: gone");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

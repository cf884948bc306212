//! Where the bytes come from: a regular file, or standard input or a workbook's rows kept in a file that has no name.
//!
//! Must hold: each `open` reads from the first byte. What is spooled is mode 0600 and unlinked before a byte is written.
//! Never: leaves a copy of the user's data behind, or waits on a pipe that nobody writes to.

use super::error::{InputError, Problem};
use super::form::ZIP;
use super::sheet::{self, Sheet};
use crate::fs::unnamed_file;
use crate::model::subject::mask_digits;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What standard input is called in messages.
const STDIN: &str = "standard input";

/// An input that can be read several times.
#[derive(Clone, Debug)]
pub struct Source {
    label: String,
    /// The file that the user named.
    path: Option<PathBuf>,
    place: Location,
    /// Of a workbook, what its text does not say.
    sheet: Option<Arc<Sheet>>,
}

#[derive(Clone, Debug)]
enum Location {
    Path(PathBuf),
    Spool(Arc<File>),
}

impl Source {
    /// A regular file.
    ///
    /// # Errors
    /// If it is missing or anything else than a regular file.
    pub fn file(path: &Path) -> Result<Self, InputError> {
        let source = Self {
            label: mask_digits(&path.display().to_string()).into_owned(),
            path: Some(path.to_owned()),
            place: Location::Path(path.to_owned()),
            sheet: None,
        };
        // Asked before it is opened, since opening a pipe waits for its writer.
        let metadata =
            fs::metadata(path).map_err(|error| source.error(io_problem("read it", error)))?;
        match kind_of(metadata.file_type()) {
            None => Ok(source),
            Some(kind) => Err(source.error(Problem::NotAFile(kind))),
        }
    }

    /// Standard input, all of it, kept in an unnamed file in `folder`.
    ///
    /// # Errors
    /// If reading it or keeping it fails.
    pub fn stdin(folder: &Path) -> Result<Self, InputError> {
        Self::spool(io::stdin().lock(), folder)
    }

    /// A stream, all of it, kept in an unnamed file in `folder`.
    ///
    /// # Errors
    /// If reading it or keeping it fails.
    pub fn spool(mut stream: impl Read, folder: &Path) -> Result<Self, InputError> {
        let failed = |doing| move |error| InputError::new(STDIN, Problem::Io(doing, error));
        let mut file = unnamed_file(folder).map_err(failed("make a file to keep it in"))?;
        io::copy(&mut stream, &mut file).map_err(failed("keep it in a file"))?;
        let place = Location::Spool(Arc::new(file));
        Ok(Self { label: STDIN.to_owned(), path: None, place, sheet: None })
    }

    /// The same, where it is a workbook the rows of its sheet, kept as text in an unnamed file in `folder`.
    ///
    /// # Errors
    /// If the workbook can't be read or its sheet can't be told.
    pub fn unfolded(self, options: sheet::Options<'_>, folder: &Path) -> Result<Self, InputError> {
        let mut head = [0; ZIP.len()];
        let is_zip = self.open()?.read_exact(&mut head).is_ok() && head == *ZIP;
        if is_zip { sheet::unfold(&self, options, folder) } else { Ok(self) }
    }

    pub(super) fn with_sheet(&self, spool: File, sheet: Sheet) -> Self {
        let (place, sheet) = (Location::Spool(Arc::new(spool)), Some(Arc::new(sheet)));
        Self { place, sheet, ..self.clone() }
    }

    /// The sheet whose rows these are, if they come from a workbook.
    pub fn sheet(&self) -> Option<&Sheet> {
        self.sheet.as_deref()
    }

    /// The source as messages call it: the path with long runs of digits masked.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The path, unless it is a stream.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// A reader from the first byte on.
    ///
    /// # Errors
    /// If the file can't be opened.
    pub fn open(&self) -> Result<SourceReader, InputError> {
        let file = match &self.place {
            Location::Path(path) => File::open(path).map(Arc::new),
            Location::Spool(file) => Ok(Arc::clone(file)),
        };
        let file = file.map_err(|error| self.error(io_problem("open it", error)))?;
        Ok(SourceReader { file, at: 0 })
    }

    pub(super) fn error(&self, problem: impl Into<Problem>) -> InputError {
        InputError::new(&self.label, problem)
    }
}

/// Reads a source. Several at once don't disturb each other.
#[derive(Debug)]
pub struct SourceReader {
    file: Arc<File>,
    at: u64,
}

impl SourceReader {
    /// Reads a file from its first byte on, whoever else reads it.
    pub(super) fn of(file: Arc<File>) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for SourceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // By position: readers of one spool share the file, and so its cursor.
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for SourceReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

fn io_problem(doing: &'static str, error: io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::Missing,
        _ => Problem::Io(doing, error),
    }
}

/// What a thing is called that is no regular file.
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
    use super::*;
    use std::os::unix::fs::MetadataExt;

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
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Source::file(folder.path()).unwrap_err();
        assert!(matches!(error.problem(), Problem::NotAFile("a folder")), "{error}");
        let error = Source::file(&folder.path().join("3275014101900001.csv")).unwrap_err();
        assert!(matches!(error.problem(), Problem::Missing), "{error}");
        assert!(error.to_string().ends_with("/******.csv: no such file"), "{error}");
        let error = Source::file(Path::new("/dev/null")).unwrap_err();
        assert!(error.to_string().contains("a device"), "{error}");
        assert!(error.hint().unwrap().contains("use -"));
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

        // Two readers at once, each with its own place.
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
        assert_eq!(error.to_string(), "standard input: can't keep it in a file: gone");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

//! Opening files where somebody else may have put something: a link to another file, a file of their own, or a pipe that
//! never ends.
//!
//! Must hold: a link at the path's end is not followed, and what is believed or written to belongs to this user or to
//! root. Never: decides what comes of a refusal.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

/// Opens a file, through no link. Where it is made, it is of mode 0600.
///
/// # Errors
/// What the system says; that it is a link.
pub fn unfollowed(path: &Path, options: &OpenOptions) -> io::Result<File> {
    open_with(path, options, OFlags::NOFOLLOW)
}

/// The same of a regular file that is this user's or root's, where it was there before. Root itself takes any.
///
/// # Errors
/// What the system says; that it is a link, no regular file, or another user's.
pub fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    // A pipe in its place is not waited for.
    let file = open_with(path, options, OFlags::NOFOLLOW | OFlags::NONBLOCK)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if !is_believed(found.uid(), geteuid().as_raw()) {
        return Err(io::Error::other("it belongs to another user"));
    }
    Ok(file)
}

/// Reads such a file.
///
/// # Errors
/// As of [`open`]; that it is no text.
pub fn read(path: &Path) -> io::Result<String> {
    io::read_to_string(open(path, OpenOptions::new().read(true))?)
}

/// Reads a secret of this user's own, or of root's. Root, too, does not take another user's.
///
/// # Errors
/// As of [`read`].
pub fn read_secret(path: &Path) -> io::Result<String> {
    let file = open(path, OpenOptions::new().read(true))?;
    if !is_mine(&file.metadata()?) {
        return Err(io::Error::other("it belongs to another user"));
    }
    io::read_to_string(file)
}

/// Opens a file that the user names, to read it, and waits for nothing: a pipe may have nobody at its other end.
///
/// # Errors
/// The system's error.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// Reads a regular file to its end, if it is no larger than this.
///
/// # Errors
/// The system's error; that it is no regular file, or is too large.
pub fn read_bounded(file: &File, most: u64) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::other(format!("it is larger than {} KB", most / 1024))),
        false => Ok(bytes),
    }
}

/// Takes bytes for a text.
///
/// # Errors
/// They are not UTF-8.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text (UTF-8)"))
}

/// Whether a user believes what another put there. Root itself takes any.
const fn is_believed(owner: u32, user: u32) -> bool {
    is_mine_or_roots(owner, user) || user == 0
}

/// Whether a file belongs to this user, or to root.
pub fn is_mine(found: &Metadata) -> bool {
    is_mine_or_roots(found.uid(), geteuid().as_raw())
}

const fn is_mine_or_roots(owner: u32, user: u32) -> bool {
    owner == user || owner == 0
}

/// Whether others can write to a file. This user's own group may: with an umask of 002, as many systems have it for groups
/// of one user, every file is so.
pub fn others_may_write(found: &Metadata) -> bool {
    lets_others_write(found.mode(), found.gid() == getegid().as_raw())
}

const fn lets_others_write(mode: u32, is_own_group: bool) -> bool {
    mode & 0o002 != 0 || (mode & 0o020 != 0 && !is_own_group)
}

/// Takes all rights of others off a file: one that came back from a backup may be open to everybody.
///
/// # Errors
/// What the system says.
pub fn close_to_others(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    if found.is_file() && found.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Whether a path still names this file, and not one that was put in its place.
pub fn is_named_by(file: &File, path: &Path) -> bool {
    let ours = file.metadata().map(|found| FileId::found(&found)).ok();
    ours.is_some() && FileId::of(path).ok() == ours
}

/// The identity of a file, as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that a path names.
    ///
    /// # Errors
    /// The system's error: there may be none.
    pub fn of(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|found| Self::found(&found))
    }

    fn found(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

/// Refuses a file in whose place this user cannot put another, though the folder can be written to.
///
/// # Errors
/// The reason.
pub fn check_replaceable(path: &Path, folder: &Path) -> io::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let folder = std::fs::metadata(folder)?;
    let owners = [found.uid(), folder.uid()];
    if is_kept(folder.mode(), owners, geteuid().as_raw()) {
        return Err(io::Error::other("it is another user's, in a folder where each has their own"));
    }
    if is_immutable(path) {
        return Err(io::Error::other("it is protected from changes (see lsattr)"));
    }
    Ok(())
}

/// True if the sticky bit of a folder keeps a file for its owner. Of the file and of the folder.
fn is_kept(folder_mode: u32, owners: [u32; 2], user: u32) -> bool {
    folder_mode & 0o1000 != 0 && user != 0 && !owners.contains(&user)
}

#[cfg(target_os = "linux")]
fn is_immutable(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let kept = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.intersects(kept))
}

#[cfg(not(target_os = "linux"))]
const fn is_immutable(_: &Path) -> bool {
    false
}

/// Whether a lock was refused since the file system has none.
pub fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error() == Some(Errno::NOLCK.raw_os_error())
}

fn open_with(path: &Path, options: &OpenOptions, flags: OFlags) -> io::Result<File> {
    let opened = options.clone().mode(0o600).custom_flags(flags.bits().cast_signed()).open(path);
    // The system's own words, of too many levels of links, would puzzle.
    opened.map_err(|error| match path.is_symlink() {
        true => io::Error::other("it is a link, which is not followed"),
        false => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_user_believes() {
        for (owner, user, mine, believed) in [
            (1000, 1000, true, true),
            (0, 1000, true, true),
            (1001, 1000, false, false),
            (1001, 0, false, true),
            (0, 0, true, true),
        ] {
            assert_eq!(is_mine_or_roots(owner, user), mine, "{owner} {user}");
            assert_eq!(is_believed(owner, user), believed, "{owner} {user}");
        }
    }

    #[test]
    fn a_sticky_folder_keeps_files_for_their_owners() {
        for (mode, owners, user, kept) in [
            (0o41_777, [1001, 0], 1000, true),
            (0o41_777, [1000, 0], 1000, false),
            (0o41_777, [1001, 1000], 1000, false),
            (0o41_777, [1001, 1001], 0, false),
            (0o40_777, [1001, 0], 1000, false),
        ] {
            assert_eq!(is_kept(mode, owners, user), kept, "{mode:o} {owners:?} {user}");
        }
    }

    #[test]
    fn who_may_write() {
        for (mode, is_own_group, others) in [
            (0o100_600, false, false),
            (0o100_644, false, false),
            (0o100_660, true, false),
            (0o100_660, false, true),
            (0o100_602, true, true),
            (0o100_666, true, true),
        ] {
            assert_eq!(lets_others_write(mode, is_own_group), others, "{mode:o} {is_own_group}");
        }
    }

    #[test]
    fn a_file_is_told_from_what_was_put_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let made = OpenOptions::new().write(true).create_new(true).clone();
        let file = open(&path, &made).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(is_mine(&file.metadata().unwrap()) && !others_may_write(&file.metadata().unwrap()));
        assert!(is_named_by(&file, &path));
        assert!(!is_named_by(&file, &folder.path().join("b")), "it is not there");
        std::fs::rename(&path, folder.path().join("b")).unwrap();
        let other = open(&path, &made).unwrap();
        assert!(is_named_by(&other, &path) && !is_named_by(&file, &path));

        for (before, after) in [(0o644, 0o600), (0o604, 0o600), (0o640, 0o600), (0o400, 0o400)] {
            other.set_permissions(Permissions::from_mode(before)).unwrap();
            close_to_others(&other).unwrap();
            assert_eq!(other.metadata().unwrap().mode() & 0o777, after, "{before:o}");
        }
    }

    #[test]
    fn only_a_file_of_ones_own_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("a"), &link).unwrap();
        std::fs::write(folder.path().join("a"), "text").unwrap();
        let told = |path: &Path| read(path).unwrap_err().to_string();
        assert_eq!(told(&link), "it is a link, which is not followed");
        assert_eq!(told(folder.path()), "it is not a regular file");
        assert!(told(&folder.path().join("b")).contains("No such file"));
        assert_eq!(read(&folder.path().join("a")).unwrap(), "text");
    }
}

//! Opens files in places where another user may have put something: a link to another file, a file
//! of their own, or a pipe that never ends.
//!
//! Must hold: a link at the end of a path is not followed, except by [`open_without_waiting`], which opens
//! files that the user named. [`open`], [`read`] and [`read_secret`] accept only files of this user
//! or of root. For root, [`open`] and [`read`] accept the files of all users.
//!
//! Never: decides what to do after a refusal.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

/// Opens a file without following a link at the end of the path. A file that is made gets mode
/// 0600.
///
/// # Errors
/// The system's error, or an error that the path is a link.
pub fn open_no_follow(path: &Path, options: &OpenOptions) -> io::Result<File> {
    open_with(path, options, OFlags::NOFOLLOW)
}

/// Opens a regular file of this user or of root, without following a link at the end of the path. A
/// file that is made gets mode 0600. Root may open a file of any user.
///
/// # Errors
/// The system's error, or an error that the file is a link, is not a regular file, or belongs to
/// another user.
pub fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    // A pipe in the place of the file must not make the program wait.
    let file = open_with(path, options, OFlags::NOFOLLOW | OFlags::NONBLOCK)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if !is_trusted_owner(found.uid(), geteuid().as_raw()) {
        return Err(io::Error::other("it belongs to another user"));
    }
    Ok(file)
}

/// Reads a text from a file, which is opened by [`open`].
///
/// # Errors
/// The errors of [`open`], or `InvalidData` if the file is not UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    io::read_to_string(open(path, OpenOptions::new().read(true))?)
}

/// Reads a secret from a file of this user or of root. Unlike [`read`], it refuses a file of
/// another user even if this user is root.
///
/// # Errors
/// The errors of [`read`], also for a file of another user.
pub fn read_secret(path: &Path) -> io::Result<String> {
    let file = open(path, OpenOptions::new().read(true))?;
    if !is_mine(&file.metadata()?) {
        return Err(io::Error::other("it belongs to another user"));
    }
    io::read_to_string(file)
}

/// Opens a file that the user named, to read it. It never waits: a pipe may have no writer.
///
/// # Errors
/// The system's error.
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// Reads a regular file to its end, if it has no more than `most` bytes.
///
/// # Errors
/// The system's error, or an error that the file is not a regular file or is too large.
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

/// Converts bytes to text.
///
/// # Errors
/// An error that the bytes are not UTF-8.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not a text (UTF-8)"))
}

/// Checks whether a user trusts the files of `owner`. Root trusts the files of all users.
const fn is_trusted_owner(owner: u32, user: u32) -> bool {
    is_mine_or_roots(owner, user) || user == 0
}

/// Checks whether a file belongs to this user or to root.
pub fn is_mine(found: &Metadata) -> bool {
    is_mine_or_roots(found.uid(), geteuid().as_raw())
}

const fn is_mine_or_roots(owner: u32, user: u32) -> bool {
    owner == user || owner == 0
}

/// Checks whether other users can write to a file. This user's own group does not count: with a
/// umask of 002, which many systems set where each user has a group, every file is writable by it.
pub fn others_may_write(found: &Metadata) -> bool {
    lets_others_write(found.mode(), found.gid() == getegid().as_raw())
}

/// Checks whether users outside of the file's group can read a file.
pub fn all_may_read(found: &Metadata) -> bool {
    found.mode() & 0o004 != 0
}

const fn lets_others_write(mode: u32, is_own_group: bool) -> bool {
    mode & 0o002 != 0 || (mode & 0o020 != 0 && !is_own_group)
}

/// Sets a regular file to mode 0600 if other users have any right to it. A file that was restored
/// from a backup may be open to everybody.
///
/// # Errors
/// The system's error.
pub fn make_private(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    if found.is_file() && found.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Checks whether a path still names this file, and not one that was put in its place.
pub fn is_named_by(file: &File, path: &Path) -> bool {
    let ours = file.metadata().map(|found| FileId::found(&found)).ok();
    ours.is_some() && FileId::of(path).ok() == ours
}

/// Identity of a file, valid as long as the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Returns the identity of the file that a path names. A link is not followed.
    ///
    /// # Errors
    /// The system's error, also if there is no file.
    pub fn of(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|found| Self::found(&found))
    }

    fn found(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

/// Checks that this user can put another file in the place of an existing one. In some places this
/// is forbidden although the folder can be written to.
///
/// # Errors
/// An error that the file belongs to another user in a folder with the sticky bit, or (on Linux)
/// that it is protected from changes. The system's error if the folder cannot be looked at.
pub fn check_replaceable(path: &Path, folder: &Path) -> io::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let folder = std::fs::metadata(folder)?;
    let owners = [found.uid(), folder.uid()];
    if is_kept(folder.mode(), owners, geteuid().as_raw()) {
        return Err(io::Error::other(
            "it belongs to another user, and in this folder only its owner can replace it",
        ));
    }
    if is_immutable(path) {
        return Err(io::Error::other("it is protected from changes (see lsattr)"));
    }
    Ok(())
}

/// Checks whether the sticky bit of a folder keeps a file for its owner. `owners` are the owner of
/// the file and the owner of the folder.
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

/// Checks whether a lock was refused because the file system has no locks.
pub fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error() == Some(Errno::NOLCK.raw_os_error())
}

fn open_with(path: &Path, options: &OpenOptions, flags: OFlags) -> io::Result<File> {
    let opened = options.clone().mode(0o600).custom_flags(flags.bits().cast_signed()).open(path);
    // The system's message, about too many levels of links, would be confusing.
    opened.map_err(|error| match path.is_symlink() {
        true => io::Error::other("it is a link, and ceknik does not follow links here"),
        false => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_owners() {
        for (owner, user, mine, believed) in [
            (1000, 1000, true, true),
            (0, 1000, true, true),
            (1001, 1000, false, false),
            (1001, 0, false, true),
            (0, 0, true, true),
        ] {
            assert_eq!(is_mine_or_roots(owner, user), mine, "{owner} {user}");
            assert_eq!(is_trusted_owner(owner, user), believed, "{owner} {user}");
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
    fn group_and_world_write_bits() {
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
            make_private(&other).unwrap();
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
        assert_eq!(told(&link), "it is a link, and ceknik does not follow links here");
        assert_eq!(told(folder.path()), "it is not a regular file");
        assert!(told(&folder.path().join("b")).contains("No such file"));
        assert_eq!(read(&folder.path().join("a")).unwrap(), "text");
    }
}

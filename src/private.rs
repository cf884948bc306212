//! Opening files where somebody else may have put something: a link to another file, or a file of their own.
//!
//! What must hold: a link at the path's end is not followed, and what is believed or written to belongs to this user or to
//! root. Never: decides what comes of a refusal.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
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
    if !is_mine(&found) && !geteuid().is_root() {
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

/// Whether a file belongs to this user, or to root.
pub fn is_mine(found: &Metadata) -> bool {
    found.uid() == geteuid().as_raw() || found.uid() == 0
}

/// Whether others can write to a file. This user's own group may: with an umask of 002, as many systems have it for groups
/// of one user, every file is so.
pub fn others_may_write(found: &Metadata) -> bool {
    let by_group = found.mode() & 0o020 != 0 && found.gid() != getegid().as_raw();
    by_group || found.mode() & 0o002 != 0
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
    let id = |found: Metadata| (found.dev(), found.ino());
    file.metadata()
        .ok()
        .map(id)
        .is_some_and(|ours| std::fs::symlink_metadata(path).ok().map(id) == Some(ours))
}

fn open_with(path: &Path, options: &OpenOptions, flags: OFlags) -> io::Result<File> {
    let opened = options.clone().mode(0o600).custom_flags(flags.bits().cast_signed()).open(path);
    // The system's own words, of too many levels of links, would puzzle.
    opened.map_err(|error| match path.is_symlink() {
        true => io::Error::other("it is a link, which is not followed"),
        false => error,
    })
}

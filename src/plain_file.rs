//! Reads files that decide who may call, or under which policy: plain files of a bounded size.
//!
//! Opening a pipe or a device can block for ever, and reading one need not end. Knows no module.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use tracing::warn;

/// Far more than a bundle of all public authorities.
const BYTES_MAX: u64 = 16 << 20;

/// The text of the file at `path`; see [`read_plain_file`].
///
/// # Errors
/// As for [`read_plain_file`], or that it is not UTF-8.
pub(crate) fn read_plain_text(path: &Path) -> io::Result<String> {
    let bytes = read_plain_file(path)?;
    String::from_utf8(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// Reads the file at `path`. Warns in the log if others than its owner may change it.
///
/// # Errors
/// What the system says, or that it is not a plain file, or too large.
pub(crate) fn read_plain_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a plain file"));
    }
    let mut bytes = Vec::new();
    let read = file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if read as u64 > BYTES_MAX {
        return Err(io::Error::other("larger than 16 MiB"));
    }
    if is_writable_by_others(&metadata) {
        warn!(
            file = %path.display(),
            "Others than its owner may change this file, and so decide who may call or what is published: take that \
             right away (chmod go-w)."
        );
    }
    Ok(bytes)
}

/// Whether the group, or everybody, may write it.
#[cfg(unix)]
fn is_writable_by_others(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o022 != 0
}

/// The permissions of Windows are not read.
#[cfg(not(unix))]
fn is_writable_by_others(_: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_not_a_plain_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            let refused = read_plain_file(path).unwrap_err().to_string();
            assert_eq!(refused, "not a plain file", "{}", path.display());
        }
        let large = folder.path().join("large");
        fs::File::create(&large)
            .unwrap()
            .set_len(BYTES_MAX + 1)
            .unwrap();
        let refused = read_plain_file(&large).unwrap_err().to_string();
        assert_eq!(refused, "larger than 16 MiB");
    }

    #[test]
    fn a_file_that_others_may_write_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        fs::write(&file, "text").unwrap();
        for (mode, expected) in [(0o600, false), (0o644, false), (0o660, true), (0o602, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let found = is_writable_by_others(&file.metadata().unwrap());
            assert_eq!(found, expected, "{mode:o}");
            assert_eq!(read_plain_text(&file).unwrap(), "text");
        }
    }
}

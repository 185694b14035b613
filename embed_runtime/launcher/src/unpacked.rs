//! The folder that the bundle is unpacked into: checked at each start, made once, repaired if it is damaged.
//!
//! Its name is the SHA-256 of the payload, so that versions lie side by side. A start compares the manifest with
//! the footer, the size of each file with the manifest, and its time with that of the manifest; reading all
//! bytes again is `main_holdmetrics self verify`. A folder appears by one rename, under a lock.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::calls;
use crate::payload::{Payload, hex};

const MANIFEST: &str = "embed_runtime/manifest.txt";

/// Returns the folder of the payload under `cache`, after unpacking it where that is needed.
pub(crate) fn ready(payload: &mut Payload, cache: &Path) -> io::Result<PathBuf> {
    let name = &hex(&payload.digest)[..32];
    let folder = cache.join(name);
    if is_whole(&folder, &payload.manifest) {
        return Ok(folder);
    }
    fs::create_dir_all(cache)?;
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock()?;
    // Another process may have unpacked it while this one waited.
    if is_whole(&folder, &payload.manifest) {
        return Ok(folder);
    }
    let fresh = cache.join(format!(".{name}.new"));
    remove(&fresh)?;
    let unpacked = unpack(payload, &fresh).and_then(|()| {
        // A running program keeps the files that it has open.
        let damaged = cache.join(format!(".{name}.old"));
        remove(&damaged)?;
        if folder.exists() {
            patiently(|| fs::rename(&folder, &damaged))?;
        }
        patiently(|| fs::rename(&fresh, &folder))?;
        remove(&damaged)
    });
    if unpacked.is_err() {
        // The error that matters is the first one.
        let _ = remove(&fresh);
    }
    unpacked.map(|()| folder)
}

/// Deletes a folder, if there is one.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    patiently(|| match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

/// On Windows, a virus scanner that reads new files refuses a change of their folder for a moment.
fn patiently(change: impl Fn() -> io::Result<()>) -> io::Result<()> {
    if cfg!(windows) {
        for _ in 0..50 {
            match change() {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    std::thread::sleep(Duration::from_millis(40));
                }
                result => return result,
            }
        }
    }
    change()
}

/// Whether all files are there as they were unpacked.
fn is_whole(folder: &Path, expected: &[u8; 32]) -> bool {
    let Ok(manifest) = fs::read_to_string(folder.join(MANIFEST)) else {
        return false;
    };
    if <[u8; 32]>::from(Sha256::digest(&manifest)) != *expected {
        return false;
    }
    // All entries of the archive have one time: a file with a later one was written to.
    let time_of = |file: &Path| fs::symlink_metadata(file)?.modified();
    let Ok(packed_at) = time_of(&folder.join(MANIFEST)) else {
        return false;
    };
    manifest.lines().all(|line| {
        let mut words = line.splitn(3, ' ').skip(1);
        let (Some(size), Some(name)) = (words.next(), words.next()) else {
            return false;
        };
        fs::symlink_metadata(folder.join(name)).is_ok_and(|found| {
            found.is_file()
                && size.parse() == Ok(found.len())
                && found.modified().is_ok_and(|time| time <= packed_at)
        })
    })
}

/// Unpacks into a new folder; fails if a byte of the payload differs from the footer.
fn unpack(payload: &mut Payload, folder: &Path) -> io::Result<()> {
    let expected = payload.digest;
    let mut reader = Hashed {
        inner: payload.reader()?,
        digest: Sha256::new(),
    };
    let mut archive = tar::Archive::new(zstd::Decoder::new(&mut reader)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        // The archive has a folder of the bundle's name around all, for those who unpack it themselves.
        let name: PathBuf = entry.path()?.components().skip(1).collect();
        write(&mut entry, &folder.join(name))?;
    }
    io::copy(&mut reader, &mut io::sink())?;
    if <[u8; 32]>::from(reader.digest.finalize()) != expected {
        return Err(io::Error::other(
            "this file is damaged: download it again, and compare it with SHA256SUMS",
        ));
    }
    Ok(())
}

/// Writes a file or a folder with its mode and time.
fn write(entry: &mut tar::Entry<impl Read>, path: &Path) -> io::Result<()> {
    if !entry.header().entry_type().is_file() {
        return entry.unpack(path).map(drop);
    }
    let mut content = Vec::new();
    entry.read_to_end(&mut content)?;
    if calls::are_stored(&content) {
        calls::restore(&mut content);
    }
    let mut file = File::create_new(path)?;
    file.write_all(&content)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        file.set_permissions(fs::Permissions::from_mode(entry.header().mode()?))?;
    }
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(entry.header().mtime()?))
}

struct Hashed<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}

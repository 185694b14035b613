//! The library of `shim.c` in a service: faults that a test switches on and off, and the trace of all changes of
//! files, from which it makes what a loss of power would have left.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use poh_holdmetrics_rust::journal::{Access, Vfs};
use tempfile::TempDir;

use crate::faulty::FaultyVfs;
use crate::support::command;

/// The compiled library, once for all tests of this process.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let library =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-{}.so", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/shim.c");
    let compiled = Command::new("cc")
        .args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .args(["-ldl", "-lpthread"])
        .status()
        .expect("a C compiler, which building needs too");
    assert!(compiled.success(), "shim.c is compiled");
    library
});

/// What a test can make go wrong; the value is the place of its number in the control file.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Syncs fail with this error of the system.
    SyncError = 0,
    /// Syncs take so many milliseconds longer.
    SyncDelayMs = 1,
    /// Writes fail with this error of the system.
    WriteError = 2,
    /// A write takes at most so many bytes.
    WriteBytesMax = 3,
    /// Threads cannot be made: this error of the system.
    ThreadError = 4,
    /// As many threads as this can be there at once before that.
    ThreadsFree = 5,
    /// The clock is ahead by so many seconds.
    ClockShiftSeconds = 6,
}

/// The files through which a service and a test talk.
pub(crate) struct Shim {
    folder: TempDir,
    control: File,
}

impl Shim {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let control = folder.path().join("control");
        fs::write(&control, [0; 4096]).expect("a file");
        fs::write(folder.path().join("trace"), []).expect("a file");
        let control = OpenOptions::new()
            .write(true)
            .open(control)
            .expect("it was made");
        Self { folder, control }
    }

    /// The folder of the service's data.
    pub(crate) fn data(&self) -> PathBuf {
        // As the system names it: the trace is of real paths.
        let folder = self.folder.path().canonicalize().expect("it was made");
        folder.join("data")
    }

    /// From now on, until another value is set; 0 is that nothing goes wrong.
    pub(crate) fn set(&self, fault: Fault, value: i64) {
        let place = 8 * fault as u64;
        let set = self.control.write_all_at(&value.to_ne_bytes(), place);
        set.expect("a file of our own");
    }

    /// `serve` over [`Self::data`] with the library in it, not started.
    pub(crate) fn command(&self) -> Command {
        let mut command = command(&self.data(), &[]);
        command
            .env("LD_PRELOAD", &*LIBRARY)
            .env("SHIM_CONTROL", self.folder.path().join("control"))
            .env("SHIM_FOLDER", self.data());
        command
    }

    /// The same, with all changes recorded.
    pub(crate) fn traced(&self) -> Command {
        let mut command = self.command();
        command.env("SHIM_TRACE", self.trace());
        command
    }

    fn trace(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    /// How long the trace is; what has happened before now lies before that.
    pub(crate) fn traced_bytes(&self) -> u64 {
        fs::metadata(self.trace()).expect("it was made").len()
    }

    /// The changes so far, each with the end of its record.
    pub(crate) fn changes(&self) -> Vec<(u64, Change)> {
        let bytes = fs::read(self.trace()).expect("it was made");
        let mut rest = &bytes[..];
        let mut changes = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_ne_bytes(*length) as usize;
            // A kill may have cut the last one off.
            let Some((record, after)) = after.split_at_checked(length) else {
                break;
            };
            rest = after;
            let end = (bytes.len() - rest.len()) as u64;
            changes.push((end, Change::read(record, &self.data())));
        }
        changes
    }
}

/// One change of a file or folder below the data folder.
pub(crate) struct Change {
    kind: u8,
    /// Below the data folder.
    path: PathBuf,
    number: u64,
    bytes: Vec<u8>,
}

impl Change {
    fn read(record: &[u8], data: &Path) -> Self {
        let (kind, rest) = record.split_first().expect("a kind");
        let (number, rest) = rest.split_first_chunk().expect("a number");
        let (length, rest) = rest.split_first_chunk().expect("a length");
        let (path, bytes) = rest.split_at(u32::from_ne_bytes(*length) as usize);
        let path = below(data, path);
        Self {
            kind: *kind,
            path,
            number: u64::from_ne_bytes(*number),
            bytes: match kind {
                b'r' => below(data, bytes).into_os_string().into_encoded_bytes(),
                _ => bytes.to_vec(),
            },
        }
    }

    /// Does the same to a disk in memory.
    pub(crate) fn repeat(&self, disk: &FaultyVfs) {
        let open = || disk.open(&self.path, Access::Write).expect("it was made");
        let done = match self.kind {
            b'c' => disk.create(&self.path).map(drop),
            b'm' => disk.create_folder(&self.path),
            b'w' => open().write_at(&self.bytes, self.number),
            b't' => open().set_size(self.number),
            b's' => open().sync(),
            b'd' => disk.sync_folder(&self.path),
            b'r' => disk.rename(
                &self.path,
                Path::new(std::str::from_utf8(&self.bytes).expect("text")),
            ),
            b'u' => disk.remove(&self.path),
            b'f' => disk.remove_folder(&self.path),
            other => panic!("a record of kind {other}"),
        };
        done.unwrap_or_else(|error| {
            panic!("{} {}: {error}", char::from(self.kind), self.path.display())
        });
    }
}

/// A path of the trace, from the data folder on, which is `/data` on the disk in memory.
fn below(data: &Path, path: &[u8]) -> PathBuf {
    let path = Path::new(std::str::from_utf8(path).expect("text"));
    Path::new("/data").join(path.strip_prefix(data).expect("below the folder"))
}

/// Writes what is on a disk in memory into a folder of this machine.
pub(crate) fn restore(disk: &FaultyVfs, folder: &Path) {
    for path in disk.paths() {
        let target = folder.join(path.strip_prefix("/data").expect("all of it is there"));
        fs::create_dir_all(target.parent().expect("a file in a folder")).expect("a folder");
        fs::write(target, disk.bytes(&path)).expect("a file");
    }
}

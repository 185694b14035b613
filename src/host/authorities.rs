//! The certificate authorities that TLS in the bundled Python trusts.
//!
//! Its OpenSSL knows one place of one system. The files below are where the common systems keep theirs; a
//! system without any gets those of the package certifi in the bundle. An operator's own choice, in the
//! variables that OpenSSL and the Rust libraries obey, is kept. An installed Python has its own defaults.
#![allow(unsafe_code, reason = "a variable of the process is set")]

use std::path::{Path, PathBuf};

use super::installation::Installation;
use super::runtime::bundle_of;

/// The file of trusted authorities, as OpenSSL names it.
const FILE_VARIABLE: &str = "SSL_CERT_FILE";
/// The folder of trusted authorities, as OpenSSL names it.
const FOLDER_VARIABLE: &str = "SSL_CERT_DIR";
/// Debian, Fedora, SUSE, Alpine and the BSDs.
const SYSTEM_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Names the authorities in [`FILE_VARIABLE`], if this program carries its Python and nobody else has
/// named any. Only `main` calls it, before it starts a thread.
pub(crate) fn announce() {
    // Windows keeps them in a store of its own, which Python reads.
    if cfg!(windows) || is_named() {
        return;
    }
    let Ok(executable) = std::env::current_exe() else {
        return;
    };
    let bundle = Installation::bundled(&bundle_of(&executable));
    let file = bundle.and_then(|bundle| find(SYSTEM_FILES.map(Path::new), bundle.packages));
    if let Some(file) = file {
        // SAFETY: the process has one thread yet, so nothing else reads the environment.
        unsafe { std::env::set_var(FILE_VARIABLE, file) };
    }
}

fn is_named() -> bool {
    [FILE_VARIABLE, FOLDER_VARIABLE]
        .into_iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The first file that exists, else that of certifi among the packages.
fn find<'a>(
    system: impl IntoIterator<Item = &'a Path>,
    packages: Option<PathBuf>,
) -> Option<PathBuf> {
    let certifi = packages.map(|folder| folder.join("certifi").join("cacert.pem"));
    let system = system.into_iter().map(Path::to_owned);
    system.chain(certifi).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorities_of_the_system_precede_those_of_certifi() {
        let folder = tempfile::tempdir().unwrap();
        let system = folder.path().join("system.pem");
        let find = || find([system.as_path()], Some(folder.path().to_owned()));
        assert_eq!(find(), None);
        let certifi = folder.path().join("certifi").join("cacert.pem");
        std::fs::create_dir(certifi.parent().unwrap()).unwrap();
        std::fs::write(&certifi, "").unwrap();
        assert_eq!(find(), Some(certifi));
        std::fs::write(&system, "").unwrap();
        assert_eq!(find(), Some(system.clone()));
    }
}

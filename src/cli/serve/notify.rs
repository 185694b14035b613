//! Notifies systemd, or the service manager of Windows, that the service is ready, and that it stops.
//!
//! To systemd it sends a datagram to the socket that `NOTIFY_SOCKET` names, as `sd_notify(3)` describes, and nothing
//! without that variable; the states of a service of Windows are set by [`super::service`]. A lost message does not
//! fail the service: systemd itself times out a start that is not confirmed.

#[cfg(target_os = "linux")]
use crate::error_line::error_line;

/// Sends the notifications.
#[cfg(target_os = "linux")]
pub(super) struct Notifier(Option<linux::Socket>);

#[cfg(target_os = "linux")]
impl Notifier {
    /// Reads `NOTIFY_SOCKET`.
    pub(super) fn from_environment() -> Self {
        Self(std::env::var_os("NOTIFY_SOCKET").and_then(|name| linux::Socket::named(&name)))
    }

    /// The service accepts calls.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// The service has begun to stop.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, state: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(state)
        {
            tracing::warn!(error = %error_line(&error), state, "systemd could not be notified.");
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::io;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    /// A datagram socket, and the address of systemd.
    pub(super) struct Socket {
        socket: UnixDatagram,
        address: SocketAddr,
    }

    impl Socket {
        /// A path, or an abstract name after an `@`; `None` for anything else.
        pub(super) fn named(name: &OsStr) -> Option<Self> {
            let address = match name.as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
                [b'/', ..] => SocketAddr::from_pathname(name),
                _ => return None,
            };
            Some(Self {
                socket: UnixDatagram::unbound().ok()?,
                address: address.ok()?,
            })
        }

        pub(super) fn send(&self, state: &str) -> io::Result<()> {
            self.socket
                .send_to_addr(state.as_bytes(), &self.address)
                .map(drop)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn received(socket: &UnixDatagram) -> String {
            let mut buffer = [0; 64];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        }

        #[test]
        fn a_path_and_an_abstract_name_are_reached() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let by_path = UnixDatagram::bind(&path).unwrap();
            Socket::named(path.as_os_str())
                .unwrap()
                .send("A=1")
                .unwrap();
            assert_eq!(received(&by_path), "A=1");

            let name = format!("holdmetrics-test-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            let by_name = UnixDatagram::bind_addr(&address).unwrap();
            let named = Socket::named(OsStr::new(&format!("@{name}"))).unwrap();
            named.send("B=1").unwrap();
            assert_eq!(received(&by_name), "B=1");

            assert!(Socket::named(OsStr::new("vsock:2:1")).is_none());
        }
    }
}

/// Tells the service manager, if it has started this process.
#[cfg(windows)]
pub(super) struct Notifier;

#[cfg(windows)]
impl Notifier {
    pub(super) fn from_environment() -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "the interface of the one for systemd")]
    pub(super) fn ready(&self) {
        super::service::report_running();
    }

    #[expect(clippy::unused_self, reason = "the interface of the one for systemd")]
    pub(super) fn stopping(&self) {
        super::service::report_stopping();
    }
}

/// Elsewhere there is no manager to tell.
#[cfg(not(any(target_os = "linux", windows)))]
pub(super) struct Notifier;

#[cfg(not(any(target_os = "linux", windows)))]
impl Notifier {
    pub(super) fn from_environment() -> Self {
        Self
    }

    pub(super) fn ready(&self) {}

    pub(super) fn stopping(&self) {}
}

//! What systemd is told where it asks for it: that the service is ready, and that it stops.
//!
//! One datagram to the socket that `NOTIFY_SOCKET` names, as `sd_notify(3)` describes. Without that
//! variable, and where there is no systemd, it does nothing. A message that is lost is no failure of
//! the service: systemd itself gives up on a start of which it hears nothing.

/// Says how far the service is.
#[cfg(target_os = "linux")]
pub(super) struct Notifier(Option<linux::Socket>);

#[cfg(target_os = "linux")]
impl Notifier {
    /// Reads where to; the first of all, before anything else may change.
    pub(super) fn from_environment() -> Self {
        Self(std::env::var_os("NOTIFY_SOCKET").and_then(|name| linux::Socket::named(&name)))
    }

    /// It listens and takes calls.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// It has begun to end.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(state)
        {
            tracing::warn!(%error, state, "systemd could not be told.");
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

    /// Where messages go.
    pub(super) struct Socket {
        socket: UnixDatagram,
        address: SocketAddr,
    }

    impl Socket {
        /// A path, or an abstract name behind an `@`; `None` for what is neither.
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

/// There is no systemd.
#[cfg(not(target_os = "linux"))]
pub(super) struct Notifier;

#[cfg(not(target_os = "linux"))]
impl Notifier {
    pub(super) fn from_environment() -> Self {
        Self
    }

    pub(super) fn ready(&self) {}

    pub(super) fn stopping(&self) {}
}

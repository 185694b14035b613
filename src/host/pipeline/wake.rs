//! The descriptor that becomes readable when messages wait for Python.
//!
//! A pair of sockets: the event loop of Python watches one end, any thread writes to the other. It carries no data:
//! one byte says that there is something to drain, however much it is.

use std::io::{self, Read, Write};

#[cfg(unix)]
use std::os::unix::net::UnixStream as Socket;

#[cfg(windows)]
use std::net::TcpStream as Socket;

/// Both ends.
pub(super) struct Wake {
    reader: Socket,
    writer: Socket,
}

impl Wake {
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { reader, writer })
    }

    /// Makes the descriptor readable.
    pub(super) fn ring(&self) {
        // A full buffer means that it is readable already.
        let _ = (&self.writer).write(&[1]);
    }

    /// Makes it unreadable until the next [`Self::ring`].
    pub(super) fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.reader).read(&mut bytes), Ok(count) if count == bytes.len()) {}
    }

    /// The number that a selector of Python takes.
    #[cfg(unix)]
    pub(super) fn descriptor(&self) -> i64 {
        use std::os::fd::AsRawFd;

        self.reader.as_raw_fd().into()
    }

    /// The number that a selector of Python takes.
    #[cfg(windows)]
    pub(super) fn descriptor(&self) -> i64 {
        use std::os::windows::io::AsRawSocket;

        // A handle of Windows fits into 32 bits.
        i64::try_from(self.reader.as_raw_socket()).unwrap_or(-1)
    }
}

#[cfg(unix)]
fn pair() -> io::Result<(Socket, Socket)> {
    Socket::pair()
}

/// Over loopback, because a selector of Windows takes sockets alone.
#[cfg(windows)]
fn pair() -> io::Result<(Socket, Socket)> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    let writer = Socket::connect(listener.local_addr()?)?;
    loop {
        let (reader, from) = listener.accept()?;
        // Another process may have connected first.
        if from == writer.local_addr()? {
            writer.set_nodelay(true)?;
            return Ok((reader, writer));
        }
    }
}

#[cfg(test)]
impl Wake {
    /// How often it was rung since it was cleared; takes them away.
    pub(super) fn pending(&self) -> usize {
        let mut bytes = [0; 64];
        (&self.reader).read(&mut bytes).unwrap_or(0)
    }
}

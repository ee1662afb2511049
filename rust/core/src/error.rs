//! Errors of the core. Rust because they carry the errno of the call that failed.
//!
//! Nothing is collapsed: each variant names the call or the rule that said no.
//! No variant carries content of a secret.

use crate::kernel::Errno;

/// Why an operation could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The kernel or the policy does not give secret memory.
    Unavailable(Unavailable),
    /// RLIMIT_MEMLOCK, descriptors or the arena are exhausted.
    Limit {
        /// Bytes that the operation needed.
        need: usize,
        /// What was asked for: "arena", "stack", "heap", "window" or "area".
        what: &'static str,
        /// The errno of the call that said so: EAGAIN and EFAULT are RLIMIT_MEMLOCK, EMFILE and
        /// ENFILE descriptors, ENOMEM memory; 0 is a bound of our own.
        errno: Errno,
    },
    /// A system call failed for another reason.
    Call {
        /// Name of the call, as in section 2 of the manual.
        call: &'static str,
        /// Its errno.
        errno: Errno,
    },
    /// The secret was closed.
    Closed,
    /// A view or another use is in the way.
    Borrowed,
    /// A private secret was used in a forked child.
    Forked,
    /// The runtime was configured already, with another choice.
    Configured,
    /// More bytes than one secret may have.
    Size {
        /// The limit in bytes.
        max: usize,
    },
    /// The input is longer than the size that the caller allows.
    TooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// A line so long that the terminal may have cut it.
    Cut {
        /// What it passes of a line in bytes.
        most: usize,
    },
    /// A datagram or packet socket: it would cut the secret.
    NotStream,
    /// Encoded input is not valid (base64, hex).
    Encoding,
    /// A JSON document without the wanted string, or none at all.
    Json(&'static str),
    /// A text without the wanted PEM block.
    Pem(&'static str),
    /// A .env document without the wanted name, or none at all.
    Document(&'static str),
    /// A descriptor that holds no secret, or a secret that cannot be put into one.
    Handover(&'static str),
    /// A key, nonce or length that an algorithm does not take.
    Key(&'static str),
    /// A tag that does not fit: nothing more is said.
    Tag,
    /// A function of the crypto library failed that cannot with what it was given, but for want
    /// of memory.
    Library(&'static str),
    /// Code inside the domain panicked; its message is withheld.
    Panicked,
}

/// Why memfd_secret(2) cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The call answered this errno.
    Errno(Errno),
    /// The probing child was killed by this signal (a seccomp filter).
    Signal(i32),
    /// The kernel's pages are not 4 KiB.
    PageSize(usize),
}

/// Result of the core.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// Maps a failed call; the errno values that mean "no room" become [`Error::Limit`].
    #[must_use]
    pub fn from_call(call: &'static str, errno: Errno, need: usize, what: &'static str) -> Self {
        match errno {
            libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOMEM => {
                Self::Limit { need, what, errno }
            }
            // The kernel's own touch of a page over the per-user limit.
            libc::EFAULT if call == "getrandom" || call == "futex" => {
                Self::Limit { need, what, errno }
            }
            libc::EPERM if call == "mlock" => Self::Limit { need, what, errno },
            _ => Self::Call { call, errno },
        }
    }
}

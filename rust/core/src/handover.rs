//! A secret in a secretmem file of its own, which another process can map. Rust because secret
//! bytes are copied there.
//!
//! ```text
//!   0        8          16        64                       64 + length
//!   +--------+----------+---------+--------------------------+---------+
//!   | magic  | length   |  zero   |  value                   |  zero   |
//!   +--------+----------+---------+--------------------------+---------+
//! ```
//!
//! The length is a little-endian u64 and public. Whoever has the descriptor can map the pages and
//! write to them, so the taker reads the length once, checks it against the size of the file,
//! which cannot change any more, and copies the value into memory of its own.

use crate::asm;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::kernel::{Fd, KERNEL, Kernel, PAGE, Prot};
use crate::mapping::{Backend, Fork, Mapping, OwnedFd, Spec};
use crate::runtime;
use crate::secret::{Options, Secret};

/// The first bytes of the file; the last is the version.
pub const MAGIC: [u8; 8] = *b"secretm\x01";
/// Where the value begins.
pub const HEAD: usize = 64;
/// Bytes of the largest value that is handed over.
pub const MOST: usize = 1 << 20;

fn spec() -> Result<Spec> {
    let runtime = runtime::get()?;
    if runtime.settings.backend != Backend::MemfdSecret {
        return Err(Error::Handover("a degraded backend hands no secret to another process"));
    }
    Ok(Spec { kernel: &KERNEL, backend: Backend::MemfdSecret, fork: Fork::Private, what: "area" })
}

impl Secret {
    /// Copies the secret into a file of its own; the descriptor is closed by execve(2) and
    /// belongs to the caller.
    ///
    /// # Errors
    /// [`Error::Handover`] under a degraded backend and for more than [`MOST`] bytes, the errors
    /// of [`Mapping::create`], and those of every use.
    pub fn hand_over(&self) -> Result<Fd> {
        let (spec, len) = (spec()?, self.size());
        if len > MOST {
            return Err(Error::Handover("a secret of more than 1 MiB is not handed over"));
        }
        let pages = (HEAD + len).div_ceil(PAGE);
        let fd = spec.open_file(pages, true)?;
        let mapping = Mapping::of_file(spec, &fd, pages, Prot::ReadWrite)?;
        let head = mapping.base();
        let pinned = self.pin()?;
        // SAFETY: the first page of the mapping, which nobody else knows yet.
        unsafe { head.cast::<[u8; 8]>().write(MAGIC) };
        // SAFETY: as above; aligned, since 8 bytes into a page.
        unsafe { head.wrapping_add(8).cast::<[u8; 8]>().write((len as u64).to_le_bytes()) };
        pinned.with(|from| {
            // SAFETY: the secret is open and holds `len` bytes; so many follow the head.
            unsafe { asm::copy(head.wrapping_add(HEAD), from, len) };
        })?;
        Ok(fd.into_raw())
    }

    /// Copies what [`Secret::hand_over`] of some process made; the descriptor stays the caller's.
    ///
    /// # Errors
    /// [`Error::Handover`] if it is none, the errors of [`Mapping::create`], [`Error::Limit`].
    pub fn take_over(fd: Fd, options: Options) -> Result<Self> {
        let spec = spec()?;
        let pages = pages_of(fd)?;
        let file = OwnedFd::borrowed(spec.kernel, fd);
        let mapping = Mapping::of_file(spec, &file, pages, Prot::Read)?;
        for page in 0..pages {
            // A page that its maker never touched would be SIGBUS over the per-user limit.
            // SAFETY: inside the mapping.
            let had = unsafe { KERNEL.look(mapping.base().wrapping_add(page * PAGE)) };
            had.map_err(|errno| Error::from_call("futex", errno, pages * PAGE, "area"))?;
        }
        let head = mapping.base().cast_const();
        // SAFETY: the first page, present; the maker may change it at any time, which a volatile
        // read of plain bytes allows.
        let magic = unsafe { head.cast::<[u8; 8]>().read_volatile() };
        // SAFETY: as above.
        let len = unsafe { head.wrapping_add(8).cast::<[u8; 8]>().read_volatile() };
        let len = usize::try_from(u64::from_le_bytes(len)).unwrap_or(usize::MAX);
        if magic != MAGIC || len > pages * PAGE - HEAD {
            return Err(Error::Handover("the descriptor's secret memory holds no secret"));
        }
        let (draft, ()) = Draft::filled(len, options, |to| {
            // SAFETY: the slot holds `len` bytes, and so many follow the head: checked above.
            unsafe { asm::copy(to, head.wrapping_add(HEAD), len) };
        })?;
        draft.finish()
    }
}

/// Pages of a secretmem file.
fn pages_of(fd: Fd) -> Result<usize> {
    let call = |call| move |errno| Error::Call { call, errno };
    if !KERNEL.is_secretmem(fd).map_err(call("fstatfs"))? {
        return Err(Error::Handover("the descriptor is no secret memory"));
    }
    let info = KERNEL.fstat(fd).map_err(call("fstat"))?;
    match info.regular_left {
        Some(size) if (PAGE..=HEAD + MOST + PAGE).contains(&size) => Ok(size / PAGE),
        _ => Err(Error::Handover("the descriptor's secret memory holds no secret")),
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    fn secret(bytes: &[u8]) -> Secret {
        Secret::from_bytes(bytes, Options::default()).expect("secret")
    }

    fn file(fill: impl FnOnce(*mut u8), pages: usize) -> OwnedFd {
        let spec = spec().expect("spec");
        let fd = spec.open_file(pages, true).expect("file");
        let mapping = Mapping::of_file(spec, &fd, pages, Prot::ReadWrite).expect("mapping");
        fill(mapping.base());
        fd
    }

    fn refused(fd: &OwnedFd) -> bool {
        let taken = Secret::take_over(fd.raw(), Options::default());
        matches!(taken.err(), Some(Error::Handover(_)))
    }

    #[test]
    fn a_secret_is_taken_as_it_was_handed_over() {
        for len in [0, 1, 32, PAGE - HEAD, PAGE - HEAD + 1, 3 * PAGE] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let fd = secret(&bytes).hand_over().expect("handed over");
            for _ in 0..2 {
                let taken = Secret::take_over(fd, Options::default()).expect("taken");
                assert_eq!(taken.matches(&bytes), Ok(true), "{len} bytes");
            }
            KERNEL.close(fd);
        }
    }

    #[test]
    fn what_holds_no_secret_is_refused() {
        assert!(refused(&file(|_| (), 1)), "zero");
        let lying = |len: u64| {
            move |at: *mut u8| {
                // SAFETY: the fresh page of `file`.
                unsafe { at.cast::<[u8; 8]>().write(MAGIC) };
                // SAFETY: as above.
                unsafe { at.wrapping_add(8).cast::<[u8; 8]>().write(len.to_le_bytes()) };
            }
        };
        assert!(!refused(&file(lying((PAGE - HEAD) as u64), 1)));
        assert!(refused(&file(lying((PAGE - HEAD + 1) as u64), 1)), "too long");
        assert!(refused(&file(lying(u64::MAX), 1)), "much too long");
        let large = (HEAD + MOST) / PAGE + 3;
        assert!(refused(&file(lying(8), large)), "larger than any");
    }
}

//! A secret from the environment. Rust because it reads and erases the bytes in place.
//!
//! The value lies in the block that the kernel put on the first thread's stack at execve(2)
//! (`/proc/PID/environ` shows it) and, if it was set later, in a copy of the C library. Both
//! are erased. What the interpreter copied into `os.environ` is not reachable from here.

use crate::asm;
use crate::error::{Error, Result};
use crate::kernel::linux;
use crate::secret::{Options, Secret};

/// Start and end of the block, fields 50 and 51 of `/proc/self/stat` (proc_pid_stat(5)).
fn initial_block() -> Option<(usize, usize)> {
    #[allow(clippy::disallowed_methods, reason = "this file of the kernel holds no secret")]
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field may hold blanks; the fields are counted behind it.
    let rest = stat.rsplit_once(") ")?.1;
    let mut fields = rest.split_ascii_whitespace().skip(50 - 3);
    let low = fields.next()?.parse().ok()?;
    let high = fields.next()?.parse().ok()?;
    (low != 0 && low < high).then_some((low, high))
}

/// The `NAME=value` strings of the initial block.
fn initial_entries() -> Option<Vec<(*mut u8, usize)>> {
    let (start, end) = initial_block()?;
    let base: *mut u8 = core::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the kernel says that the block is there, on the first thread's stack, which stays
    // mapped and writable for the life of the process.
    let block = unsafe { core::slice::from_raw_parts(base.cast_const(), end - start) };
    let mut at = 0;
    let mut entries = Vec::new();
    for entry in block.split(|b| *b == 0) {
        entries.push((base.wrapping_add(at), entry.len()));
        at += entry.len() + 1;
    }
    Some(entries)
}

/// Address and length of the value if the entry has that name.
///
/// # Safety
/// The entry is readable.
unsafe fn value_of(entry: (*mut u8, usize), name: &[u8]) -> Option<(*mut u8, usize)> {
    let (at, len) = entry;
    let skip = name.len() + 1;
    if len < skip {
        return None;
    }
    // SAFETY: the first bytes of the entry: its name, which is not secret.
    let head = unsafe { core::slice::from_raw_parts(at.cast_const(), skip) };
    let same = head.strip_suffix(b"=") == Some(name);
    same.then(|| (at.wrapping_add(skip), len - skip))
}

/// The value of a variable as a secret; `None` if there is none. With `erase` it is overwritten
/// with zeros wherever it lies in the two places above.
///
/// # Errors
/// As [`Secret::from_bytes`]; `/proc` cannot be read and `erase` was asked for.
///
/// # Safety
/// No other thread reads or changes the environment meanwhile (the caller holds the interpreter).
pub unsafe fn from_env(name: &[u8], erase: bool, options: Options) -> Result<Option<Secret>> {
    // SAFETY: as the caller promises.
    let current = unsafe { linux::environment() };
    let initial = initial_entries();
    if erase && initial.is_none() {
        // The block could not be erased: nothing is done, so that nothing seems to be.
        return Err(Error::Call { call: "/proc/self/stat", errno: libc::ENOENT });
    }
    let initial = initial.unwrap_or_default();
    // What is in the initial block only was removed from the environment.
    // SAFETY: entries of the environment are readable strings.
    let Some((at, len)) = current.iter().find_map(|e| unsafe { value_of(*e, name) }) else {
        return Ok(None);
    };
    // SAFETY: the value is readable; nobody changes it meanwhile.
    let secret = Secret::from_bytes(unsafe { core::slice::from_raw_parts(at, len) }, options)?;
    if erase {
        for entry in current.iter().chain(initial.iter()) {
            // SAFETY: as above.
            if let Some((at, len)) = unsafe { value_of(*entry, name) } {
                // SAFETY: environment strings are writable memory of the process.
                unsafe { asm::wipe(at, len) };
            }
        }
    }
    Ok(Some(secret))
}

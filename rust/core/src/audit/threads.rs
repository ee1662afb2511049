//! Registers of the threads of another process. Rust because they may hold keys.
//!
//! ptrace(2), without injecting anything: the thread is stopped, its registers are read into
//! secret memory and searched, and it goes on. All calls for a thread come from one thread.

use super::table::Table;
use super::{Hit, MOST_HITS, Search};
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::kernel::linux::{self, REGISTER_SETS};
use crate::secret::Options;

/// Bytes for one set of registers: XSTATE with tiles has 11 KiB.
const ROOM: usize = 16 << 10;

/// What the registers of a stopped thread showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registers {
    /// The stack pointer.
    pub stack_pointer: u64,
    /// Number of the set in [`REGISTER_SETS`], and where in it.
    pub hits: Vec<(usize, Hit)>,
}

/// Attaches to a thread and asks it to stop.
///
/// # Errors
/// EPERM if this process may not, ESRCH if the thread ended.
pub fn seize(thread: i32) -> Result<()> {
    linux::trace_seize(thread).map_err(|errno| Error::Call { call: "ptrace", errno })
}

/// Tells whether an attached thread has stopped: the signal that it was about to get, which
/// [`resume`] hands on, or 0; None as long as it has not.
///
/// # Errors
/// ESRCH if the thread ended.
pub fn stopped(thread: i32) -> Result<Option<i32>> {
    linux::trace_stopped(thread).map_err(|errno| Error::Call { call: "waitpid", errno })
}

/// Detaches from a thread, which goes on.
///
/// # Errors
/// ESRCH if the thread ended.
pub fn resume(thread: i32, signal: i32) -> Result<()> {
    linux::trace_resume(thread, signal).map_err(|errno| Error::Call { call: "ptrace", errno })
}

impl Search {
    /// Looks at all registers of a stopped thread.
    ///
    /// # Errors
    /// ESRCH if it is not stopped by this thread, or as every use of a secret.
    pub fn registers(&self, thread: i32) -> Result<Registers> {
        let mut registers = Registers::default();
        let buffer = Draft::new(ROOM, Options::default())?;
        for (number, set) in REGISTER_SETS.iter().enumerate() {
            // SAFETY: the open draft has that many bytes.
            let read =
                buffer.with(|to| unsafe { linux::trace_registers(thread, set.kind, to, ROOM) })?;
            match read {
                Ok(n) => self.search_registers(&buffer, number, n, &mut registers)?,
                // A set that this processor does not have.
                Err(libc::EINVAL | libc::ENODEV | libc::EIO) if number > 0 => {}
                Err(errno) => return Err(Error::Call { call: "ptrace", errno }),
            }
        }
        Ok(registers)
    }

    fn search_registers(
        &self,
        buffer: &Draft,
        set: usize,
        n: usize,
        registers: &mut Registers,
    ) -> Result<()> {
        let mut seen = vec![0; self.forms.len()];
        let mut room = vec![Hit::default(); MOST_HITS];
        let (mut count, mut pointer) = (0, [0; 8]);
        let kept = self.kept.pin()?;
        buffer.with(|data| {
            kept.with(|table| {
                domain::run(kept.runtime, || {
                    // SAFETY: the pinned, open secret, which has the layout's size.
                    let table = unsafe { core::slice::from_raw_parts(table, self.layout.size()) };
                    // SAFETY: the open draft, of which `n` bytes were read.
                    let data = unsafe { core::slice::from_raw_parts(data.cast_const(), n) };
                    let table = Table::of(table, self.layout, &self.forms);
                    count = table.find(data, &mut seen, &mut room).0;
                    let at = data.get(linux::STACK_POINTER..).and_then(|d| d.first_chunk());
                    pointer = at.copied().unwrap_or_default();
                })
            })
        })???;
        if set == 0 {
            registers.stack_pointer = u64::from_ne_bytes(pointer);
        }
        registers.hits.extend(room.iter().take(count).map(|hit| (set, *hit)));
        Ok(())
    }
}

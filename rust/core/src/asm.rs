//! The light gate and the instructions that Rust has no word for. Rust because these move
//! secret bytes and control registers.
//!
//! Compiled copies go through vector registers, which keep the last bytes until something else
//! uses them; a signal then writes them to an ordinary stack. `rep movsb` holds addresses only.

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("secretmem-core is written for x86-64 and aarch64");

#[cfg(not(miri))]
use core::arch::asm;

/// Copies `len` bytes without passing them through a register that outlives the copy.
///
/// # Safety
/// `src` is readable and `dst` writable for `len` bytes, both gates are open, and `dst` does
/// not start inside `[src, src + len)` (overlap downwards is fine).
#[inline]
pub(crate) unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) {
    #[cfg(miri)]
    // SAFETY: as the caller promises.
    unsafe {
        core::ptr::copy(src, dst, len);
    }
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: as the caller promises; the direction flag is clear by the ABI.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") dst => _, inout("rsi") src => _,
             options(nostack, preserves_flags));
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as the caller promises. One byte at a time through w9, cleared at the end.
    unsafe {
        asm!("cbz {n}, 3f", "2:", "ldrb w9, [{s}], #1", "strb w9, [{d}], #1",
             "subs {n}, {n}, #1", "b.ne 2b", "mov x9, xzr", "3:",
             n = inout(reg) len => _, s = inout(reg) src => _, d = inout(reg) dst => _,
             out("x9") _, options(nostack));
    }
}

/// Overwrites `len` bytes with zeros. The compiler cannot remove it.
///
/// # Safety
/// `at` is writable for `len` bytes.
#[inline]
pub(crate) unsafe fn wipe(at: *mut u8, len: usize) {
    #[cfg(miri)]
    // SAFETY: as the caller promises.
    unsafe {
        core::ptr::write_bytes(at, 0, len);
    }
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: as the caller promises.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") at => _, in("al") 0u8,
             options(nostack, preserves_flags));
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as the caller promises.
    unsafe {
        asm!("cbz {n}, 3f", "2:", "strb wzr, [{d}], #1", "subs {n}, {n}, #1", "b.ne 2b", "3:",
             n = inout(reg) len => _, d = inout(reg) at => _, options(nostack));
    }
}

/// Writes the cache lines of a range back to memory and drops them: nothing of what was there
/// stays in a cache. Called after a wipe only, never before.
///
/// # Safety
/// `at` is readable for `len` bytes.
pub(crate) unsafe fn flush(at: *const u8, len: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        const LINE: usize = 64;
        let end = at.addr() + len;
        let mut line = at.addr() & !(LINE - 1);
        while line < end {
            // SAFETY: the line holds at least one byte of the range. CLFLUSH is baseline.
            unsafe { asm!("clflush [{}]", in(reg) line, options(nostack, preserves_flags)) };
            line += LINE;
        }
        // SAFETY: a fence has no precondition.
        unsafe { asm!("mfence", options(nostack, preserves_flags)) };
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        // 16 bytes is the smallest line that the architecture allows; a few steps too many cost
        // little and reading CTR_EL0 may trap.
        const LINE: usize = 16;
        let end = at.addr() + len;
        let mut line = at.addr() & !(LINE - 1);
        while line < end {
            // SAFETY: the line holds at least one byte of the range.
            unsafe { asm!("dc civac, {}", in(reg) line, options(nostack, preserves_flags)) };
            line += LINE;
        }
        // SAFETY: a barrier has no precondition.
        unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    }
    #[cfg(miri)]
    let _ = (at, len);
}

/// The stack pointer: tells on which stack this code runs. No thread-local state is needed, so
/// it is right in signal handlers and after a jump out of the domain.
#[inline]
pub(crate) fn stack_pointer() -> usize {
    #[cfg(miri)]
    return 0;
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let sp: usize;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
        sp
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        let sp: usize;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
        sp
    }
}

/// Protection keys of x86-64 (`RDPKRU`, `WRPKRU`; Intel SDM volume 3, 4.6.2).
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(crate) mod pkru {
    use core::arch::asm;

    /// The rights of this thread. Only where a key was allocated: elsewhere the instruction faults.
    #[inline]
    pub(crate) fn read() -> u32 {
        let value: u32;
        // SAFETY: the caller holds a key, so the processor has the instruction.
        unsafe {
            asm!("rdpkru", in("ecx") 0, out("eax") value, out("edx") _,
                 options(nostack, preserves_flags));
        }
        value
    }

    /// Sets the rights. A compiler barrier: no access to memory moves across it.
    #[inline]
    pub(crate) fn write(value: u32) {
        // SAFETY: as for `read`; rights of keys that are not ours are kept by the caller.
        unsafe {
            asm!("wrpkru", in("ecx") 0, in("edx") 0, in("eax") value,
                 options(nostack, preserves_flags));
        }
    }
}

/// No protection keys on this architecture: the gate uses mprotect(2).
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
pub(crate) mod pkru {
    pub(crate) fn read() -> u32 {
        0
    }
    pub(crate) fn write(_value: u32) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_and_wipe_every_short_length() {
        for len in 0..200 {
            let src: Vec<u8> = (0..len).map(|i| i as u8 ^ 0x5a).collect();
            let mut dst = vec![0xffu8; len + 1];
            // SAFETY: both vectors have at least `len` bytes.
            unsafe { copy(dst.as_mut_ptr(), src.as_ptr(), len) };
            assert_eq!(dst.get(..len), src.get(..));
            // SAFETY: as above.
            unsafe { wipe(dst.as_mut_ptr(), len) };
            assert!(dst.iter().take(len).all(|&b| b == 0));
            assert_eq!(dst.last(), Some(&0xff));
            // SAFETY: as above.
            unsafe { flush(dst.as_ptr(), len) };
        }
    }

    #[test]
    fn copy_moves_down_inside_one_buffer() {
        let mut buf = *b"   text";
        let at = buf.as_mut_ptr();
        // SAFETY: the buffer has 7 bytes; the destination starts before the source.
        let from = unsafe { at.add(3) };
        // SAFETY: as above.
        unsafe { copy(at, from, 4) };
        assert_eq!(buf.get(..4), Some(b"text".as_slice()));
    }
}

//! The trampoline: runs a function on another stack, and clears registers and wipes that stack
//! before it comes back. Rust because it is all registers and stacks.
//!
//! The order is the point. A signal that arrives between "back on the ordinary stack" and
//! "registers cleared" would make the kernel write every register to the ordinary stack. So the
//! registers go first, then the stack is wiped, and only then does the stack pointer move back.
//! `vzeroall` does not reach zmm16 to zmm31 nor the mask registers, and copies in the C library
//! use them; they are cleared one by one.

use core::ffi::c_void;

/// The processor has AVX: clear ymm0 to ymm15.
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(crate) const AVX: u64 = 1;
/// The processor has AVX-512F: clear zmm16 to zmm31 and k0 to k7.
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(crate) const AVX512: u64 = 2;

/// What this processor's register file needs. Asked once, outside the domain.
pub(crate) fn cpu_flags() -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let avx = if std::arch::is_x86_feature_detected!("avx") { AVX } else { 0 };
        let avx512 = if std::arch::is_x86_feature_detected!("avx512f") { AVX512 } else { 0 };
        avx | avx512
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    {
        0
    }
}

#[cfg(not(miri))]
unsafe extern "C" {
    /// Calls `f(arg)` with the stack pointer at `top`; on return clears the registers, wipes
    /// `[low, top)` and switches back.
    ///
    /// # Safety
    /// `[low, top)` is mapped, 16-byte aligned at the top, and used by nobody else; `f` returns
    /// normally (it neither unwinds nor jumps).
    pub(crate) fn secretmem_on_stack(
        f: unsafe extern "C" fn(*mut c_void),
        arg: *mut c_void,
        top: *mut u8,
        low: *mut u8,
        cpu: u64,
    );
}

/// Miri runs no assembly: the call is made where it is.
///
/// # Safety
/// `f` may be called with `arg`.
#[cfg(miri)]
pub(crate) unsafe fn secretmem_on_stack(
    f: unsafe extern "C" fn(*mut c_void),
    arg: *mut c_void,
    _top: *mut u8,
    _low: *mut u8,
    _cpu: u64,
) {
    // SAFETY: passed on unchanged.
    unsafe { f(arg) };
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
core::arch::global_asm!(include_str!("tramp_x86_64.s"), options(att_syntax));
#[cfg(all(target_arch = "aarch64", not(miri)))]
core::arch::global_asm!(include_str!("tramp_aarch64.s"));

//! What the crypto library takes from us: memory and random bytes. Rust because both are secret.
//!
//! AWS-LC asks for `OPENSSL_memory_*` as weak symbols; here they are, hidden, so that no other
//! library of the process can fill them. Its generator is replaced by getrandom(2): it would
//! keep its state in the heap and lose it in a forked child. Both are bound at link time; the
//! test below asks the library itself.

use crate::domain::{heap, inside, inside_with_heap};
use crate::kernel::linux::die;
use crate::kernel::{KERNEL, Kernel};
use crate::runtime;
use crate::work;
use core::ffi::{c_int, c_void};

/// Alignment that C code expects.
const ALIGN: usize = 16;
/// Smaller blocks are never work memory.
const LARGE: usize = 4096;

macro_rules! hidden_symbols {
    ($($name:literal => $target:path),* $(,)?) => {$(
        #[cfg(not(miri))]
        core::arch::global_asm!(
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ", %function"),
            concat!($name, ":"),
            #[cfg(target_arch = "x86_64")]
            "jmp {target}",
            #[cfg(target_arch = "aarch64")]
            "b {target}",
            target = sym $target,
        );
    )*};
}

hidden_symbols! {
    "OPENSSL_memory_alloc" => memory_alloc,
    "OPENSSL_memory_free" => memory_free,
    "OPENSSL_memory_get_size" => memory_get_size,
    "OPENSSL_memory_realloc" => memory_realloc,
    "aws_lc_0_47_0_RAND_bytes" => random_bytes,
    "aws_lc_0_47_0_RAND_priv_bytes" => random_bytes,
    "aws_lc_0_47_0_RAND_public_bytes" => random_bytes,
    "aws_lc_0_47_0_RAND_pseudo_bytes" => random_bytes,
    "aws_lc_0_47_0_RAND_bytes_with_user_prediction_resistance" => random_bytes,
}

extern "C" fn memory_alloc(size: usize) -> *mut c_void {
    let inside = inside();
    if inside && size >= LARGE {
        // Null if none is offered: it goes to the heap as every other block.
        let at = work::take(size);
        if !at.is_null() {
            return at.cast();
        }
    }
    if inside_with_heap() {
        return runtime::heap_alloc(size, ALIGN).cast();
    }
    if inside {
        // An operation that was entered without the heap: ordinary memory would be a leak.
        return core::ptr::null_mut();
    }
    // SAFETY: no precondition.
    unsafe { libc::malloc(size) }
}

extern "C" fn memory_free(at: *mut c_void) {
    if heap::contains(at.cast()) {
        // SAFETY: the library's own block, of the heap by its address.
        unsafe { runtime::heap_free(at.cast()) };
        return;
    }
    if inside() && work::is_offered(at.cast()) {
        // Its owner wipes it.
        return;
    }
    // SAFETY: the library's own block, of the system's allocator.
    unsafe { libc::free(at) };
}

extern "C" fn memory_get_size(at: *mut c_void) -> usize {
    if at.is_null() {
        return 0;
    }
    if heap::contains(at.cast()) {
        return runtime::heap_size(at.cast());
    }
    if inside() && work::is_offered(at.cast()) {
        return work::offered();
    }
    // SAFETY: the library's own block, of the system's allocator.
    unsafe { libc::malloc_usable_size(at) }
}

extern "C" fn memory_realloc(at: *mut c_void, size: usize) -> *mut c_void {
    if !inside() && !heap::contains(at.cast()) {
        // SAFETY: null or the library's own block, of the system's allocator.
        return unsafe { libc::realloc(at, size) };
    }
    let new = memory_alloc(size);
    if !new.is_null() && !at.is_null() {
        let common = memory_get_size(at).min(size);
        // SAFETY: two blocks of at least `common` bytes.
        unsafe { runtime::heap_copy(new.cast(), at.cast(), common) };
        memory_free(at);
    }
    new
}

/// Fills memory from the kernel; a process without random bytes must not go on.
extern "C" fn random_bytes(at: *mut u8, len: usize) -> c_int {
    let mut done = 0;
    while done < len {
        // SAFETY: the library's own buffer.
        match unsafe { KERNEL.getrandom(at.wrapping_add(done), len - done) } {
            Ok(n) => done += n,
            Err(libc::EINTR) => {}
            Err(_) => die("getrandom failed while a key or nonce was made"),
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run_with_heap;

    #[test]
    fn the_library_takes_its_random_bytes_from_us() {
        let theirs = aws_lc_sys::RAND_bytes as *const () as usize;
        // The symbol is a jump to our function; the library's own code would allocate a state.
        let mut a = [0u8; 32];
        // SAFETY: 32 writable bytes.
        assert_eq!(unsafe { aws_lc_sys::RAND_bytes(a.as_mut_ptr(), a.len()) }, 1);
        assert_ne!(a, [0; 32]);
        // SAFETY: code of this program.
        let first = unsafe { (theirs as *const u8).read() };
        #[cfg(target_arch = "x86_64")]
        assert_eq!(first, 0xe9, "a jump, not the library's own function");
        let _ = first;
    }

    #[test]
    fn memory_comes_from_the_heap_inside_and_from_the_system_outside() {
        let runtime = runtime::get().expect("memfd_secret");
        // SAFETY: no precondition.
        let outside = unsafe { aws_lc_sys::OPENSSL_malloc(100) };
        assert!(!heap::contains(outside.cast()));
        // SAFETY: allocated above.
        unsafe { aws_lc_sys::OPENSSL_free(outside) };
        let was_inside = run_with_heap(runtime, 4096, || {
            // SAFETY: no precondition.
            let block = unsafe { aws_lc_sys::OPENSSL_malloc(100) };
            let inside = heap::contains(block.cast());
            // SAFETY: allocated above.
            unsafe { aws_lc_sys::OPENSSL_free(block) };
            inside
        });
        assert_eq!(was_inside, Ok(true));
    }
}

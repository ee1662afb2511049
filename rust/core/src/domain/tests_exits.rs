//! Ways out of the domain that skip the way out: a jump over it, and a panic. Rust because only
//! code inside can leave like that.

use super::stacks::Class;
use super::{Room, run, run_with};
use crate::domain::ENTERED;
use crate::error::Error;
use crate::runtime;
use core::ffi::c_void;
use core::ptr;

const MARK: [u8; 16] = *b"leaves-a-mark-01";

// `escape_from(code, argument)` calls; `escape()` inside of that call goes back to its caller at
// once, as longjmp(3) does, and makes it return 1.
core::arch::global_asm!(
    ".globl secretmem_test_escape_from",
    ".hidden secretmem_test_escape_from",
    "secretmem_test_escape_from:",
    "pushq %rbp",
    "pushq %rbx",
    "pushq %r12",
    "pushq %r13",
    "pushq %r14",
    "pushq %r15",
    "subq $8, %rsp",
    "movq %rsp, secretmem_test_place(%rip)",
    "movq %rdi, %rax",
    "movq %rsi, %rdi",
    "call *%rax",
    "xorl %eax, %eax",
    "jmp 1f",
    ".globl secretmem_test_escape",
    ".hidden secretmem_test_escape",
    "secretmem_test_escape:",
    "movq secretmem_test_place(%rip), %rsp",
    "movl $1, %eax",
    "1:",
    "addq $8, %rsp",
    "popq %r15",
    "popq %r14",
    "popq %r13",
    "popq %r12",
    "popq %rbx",
    "popq %rbp",
    "ret",
    ".local secretmem_test_place",
    ".comm secretmem_test_place,8,8",
    options(att_syntax)
);

unsafe extern "C" {
    /// # Safety
    /// Defined above with these arguments; the code takes the argument.
    fn secretmem_test_escape_from(code: extern "C" fn(*mut c_void), argument: *mut c_void) -> i32;
    /// # Safety
    /// Defined above; the other one is below this frame.
    fn secretmem_test_escape() -> !;
}

/// Enters with heap, leaves marks on the stack and in the heap, jumps out.
extern "C" fn enter_and_jump(block: *mut c_void) {
    let Ok(runtime) = runtime::get() else { return };
    let block: *mut *mut u8 = block.cast();
    let _ = run_with::<()>(runtime, Room::heap(4096), || {
        let local = std::hint::black_box([MARK; 8]);
        // SAFETY: no precondition.
        let at: *mut u8 = unsafe { aws_lc_sys::OPENSSL_malloc(64) }.cast();
        // SAFETY: 64 bytes of the heap, open in this operation.
        unsafe { at.copy_from_nonoverlapping(local.as_ptr().cast(), 64) };
        // SAFETY: the caller's word.
        unsafe { block.write(at) };
        // SAFETY: `secretmem_test_escape_from` is below this frame; no destructor is skipped but
        // those that the repair stands in for.
        unsafe { secretmem_test_escape() };
    });
}

#[test]
fn a_jump_out_is_repaired_at_the_next_entry() {
    let _alone = super::tests::ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let mut block: *mut u8 = ptr::null_mut();
    // SAFETY: the function gets the pointer that it expects.
    let jumped = unsafe { secretmem_test_escape_from(enter_and_jump, (&raw mut block).cast()) };
    assert_eq!(jumped, 1);
    let entered = ENTERED.get().expect("the entry that never came out");
    let stack = entered.stack;
    // SAFETY: stacks are readable by design.
    let read = || unsafe { core::slice::from_raw_parts(stack.low(), stack.size()) }.to_vec();
    assert!(read().windows(16).any(|w| w == MARK), "or this test tries nothing");
    // The next operation of this thread; what the jump left is repaired before it enters.
    assert_eq!(run(runtime, || 7usize), Ok(7));
    assert!(ENTERED.get().is_none());
    assert!(!read().windows(16).any(|w| w == MARK));
    assert!(super::tests::comes_back(runtime, stack));
    // The claim is given up, and the gate closed as often as it was opened.
    assert_eq!(runtime.heap.claimed_by(stack), 0);
    // Other tests open it too, but none for good.
    let closed = (0..100_000).any(|_| {
        std::thread::yield_now();
        runtime.heap.openers() == 0
    });
    assert!(closed);
    // The block is still there, and is freed like any other.
    let kept = core::sync::atomic::AtomicIsize::new(1);
    let room = Room { kept: Some(&kept), ..Room::heap(0) };
    let freed = run_with(runtime, room, || {
        // SAFETY: allocated before the jump.
        unsafe { aws_lc_sys::OPENSSL_free(block.cast()) };
    });
    assert_eq!(freed, Ok(()));
    assert_eq!(kept.into_inner(), 0);
}

/// Run by the test below in a process of its own.
#[test]
#[ignore = "a program for the test below"]
fn program_that_panics_inside() {
    let runtime = runtime::get().expect("memfd_secret");
    let secret = core::str::from_utf8(&MARK).expect("text").to_owned();
    for stack in [Class::Small, Class::Large] {
        let room = Room { stack, ..Room::heap(64 << 10) };
        let ended = run_with::<()>(runtime, room, || panic!("the key is {secret}"));
        assert_eq!(ended, Err(Error::Panicked));
    }
}

/// With a backtrace asked for, too: that would allocate and print.
#[test]
fn a_panic_inside_says_nothing() {
    let program = std::env::current_exe().expect("this program");
    let done = std::process::Command::new(program)
        .args(["--exact", "domain::tests_exits::program_that_panics_inside"])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .env("RUST_BACKTRACE", "full")
        .output()
        .expect("the program");
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains("leaves-a-mark") && !said.contains("panicked at"), "{said}");
}

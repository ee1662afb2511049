//! What fork(2) does to an arena. Rust because it decides which child sees which secret.
//!
//! A private arena is absent in the child. An inheriting arena is absent at rest too; the prepare
//! handler lets the child have it and freezes its areas: no slot of an area that was ever forked
//! is handed out again, so a child never sees a later secret.

use super::Arena;
use super::growth::bodies;
use core::ptr;
use core::sync::atomic::{Ordering::AcqRel, Ordering::Acquire, Ordering::Release};

impl Arena {
    /// Takes the lock for fork(2), and opens what the child shall have.
    pub(crate) fn before_fork(&self) {
        self.state.acquire();
        if !self.config.inherit {
            return;
        }
        // SAFETY: taken above.
        let state = unsafe { self.state.held() };
        for area in state.areas.iter().filter(|a| a.live.load(Acquire) > 0) {
            area.pass_on();
        }
        for body in &state.own {
            // SAFETY: a body is listed exactly as long as it is alive.
            unsafe { &**body }.pass_on();
        }
    }

    /// In the parent: closes again what was opened; frozen areas stay frozen.
    ///
    /// # Safety
    /// This thread called [`Arena::before_fork`].
    pub(crate) unsafe fn after_fork_in_parent(&self) {
        if self.config.inherit {
            // SAFETY: the lock is held.
            let state = unsafe { self.state.held() };
            for body in bodies(state) {
                if body.passed_on.swap(false, AcqRel) {
                    // A later child would get a frozen area too: only old secrets are in it.
                    let _ = body.mapping.pass_on(false);
                }
            }
            self.release_emptied(state);
        }
        // SAFETY: the lock is held.
        unsafe { self.state.release() };
    }

    /// In the child: the parent's areas are no longer this arena's.
    ///
    /// # Safety
    /// The only thread; the lock is held by [`Arena::before_fork`] or by nobody who lives.
    pub(crate) unsafe fn after_fork_in_child(&self) {
        // SAFETY: the only thread.
        let state = unsafe { self.state.held() };
        // At rest nothing is passed on, so that a bare clone(2) has none of them.
        for body in bodies(state).filter(|body| body.passed_on.load(Acquire)) {
            body.gate.reset_in_child(&body.mapping);
        }
        // The records stay allocated: secrets of the parent's time still point to them.
        state.areas.clear();
        state.own.clear();
        state.partial.iter_mut().for_each(Vec::clear);
        for hint in self.hints.iter().flatten() {
            hint.store(ptr::null_mut(), Release);
        }
        self.idle.store(0, Release);
        self.grown.store(false, Release);
        // SAFETY: the only thread.
        unsafe { self.state.release() };
    }
}

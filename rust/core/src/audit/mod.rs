//! The residue audit: looks for keys, and for what is made of them, in memory that is not
//! secret. Rust because the keys, their forms and what is searched hold secrets.
//!
//! A [`Search`] is made of keys. All their forms, and the tables that find them, lie in secret
//! memory, and so does the buffer into which the other process's memory is read: it may hold the
//! very copies that are looked for. What comes out is where, which form and how many bytes.
//!
//! Any [`WINDOW`] consecutive bytes of a form count, since code moves memory in pieces of a
//! register's size. A key has thousands of such pieces; the multi-pattern matchers that exist
//! build automata of some MB for them, which would have to be locked secret memory too, so there
//! is a small table of our own (see `table`).

mod aes;
mod derive;
mod forms;
mod table;
#[cfg(test)]
mod tests;
pub mod threads;

pub use derive::Kind;
pub use forms::{Form, WINDOW};

use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::kernel::{Fd, KERNEL, Kernel, PAGE};
use crate::runtime;
use crate::secret::{Options, Secret};
use forms::Out;
use table::{Layout, Table};

/// Bytes of the longest key to look for; RSA-8192 as PKCS#8 has 4,700.
const MOST_KEY: usize = 8 << 10;
/// Forms of one key at most.
const MOST_FORMS: usize = 160;
/// Bytes of forms of a key of no bytes; each byte of a key makes at most [`TIMES`] more.
const BASE_ROOM: usize = 4 << 10;
const TIMES: usize = 32;
/// Heap for reading an encoded key, as in `pkey`.
const HEAP: usize = 64 << 10;
/// Bytes that are read at once, if there is room; [`LEAST_BLOCK`] otherwise.
const BLOCK: usize = 256 << 10;
const LEAST_BLOCK: usize = 16 << 10;
/// Bytes that two reads have in common: a piece across their border is whole in one of them.
pub(crate) const OVERLAP: usize = 64;
/// Hits of one block, after which it is searched further by another entry.
const MOST_HITS: usize = 4096;

/// Where a form, or a piece of one, was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hit {
    /// Which of [`Search::forms`].
    pub form: usize,
    /// Address or place in the file.
    pub address: u64,
    /// Bytes in a row that belong to the form.
    pub size: usize,
}

/// What a scan saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of places. One copy may come as several that overlap.
    pub hits: Vec<Hit>,
    /// Start and bytes of what the kernel refused.
    pub unread: Vec<(u64, u64)>,
    /// One past the last place that was looked at.
    pub end: u64,
}

/// See the module comment.
#[derive(Debug)]
pub struct Search {
    kept: Secret,
    layout: Layout,
    forms: Vec<Form>,
}

impl Search {
    /// Derives all forms of the keys.
    ///
    /// # Errors
    /// [`Error::Key`] if a key is not what its kind says, or as every use of a secret.
    pub fn new(keys: &[(Kind, &Secret)]) -> Result<Self> {
        let options = Options::default();
        let mut forms = Vec::new();
        let mut parts = Vec::new();
        let mut total = 0;
        for (number, (kind, secret)) in keys.iter().enumerate() {
            let (draft, used, made) = derived(*kind, secret, options)?;
            forms.extend(made.into_iter().map(|f| Form {
                key: number,
                start: f.start + total,
                ..f
            }));
            total += used;
            parts.push((draft, used));
        }
        let layout = Layout::of(total);
        let kept = Draft::new(layout.size(), options)?;
        let mut at = 0;
        for (draft, used) in parts {
            kept.with(|to| {
                // SAFETY: both are open; the table has room for the forms of all keys.
                draft.with(|from| unsafe { crate::asm::copy(to.wrapping_add(at), from, used) })
            })??;
            at += used;
        }
        kept.with(|to| {
            domain::run(kept.runtime(), || {
                // SAFETY: the open draft, which has the layout's size.
                let room = unsafe { core::slice::from_raw_parts_mut(to, layout.size()) };
                table::build(room, layout, &forms);
            })
        })??;
        Ok(Self { kept: kept.finish()?, layout, forms })
    }

    /// What is looked for, without a byte of it.
    #[must_use]
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// The secret that holds the forms: its end.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.kept
    }

    /// Reads `len` bytes of a file from `from` on (`/proc/PID/mem`: addresses) and looks.
    ///
    /// # Errors
    /// The errno of pread(2) other than EIO and EFAULT, which are refusals of single pages;
    /// [`Error::Limit`] if there is no room for a buffer, or as every use of a secret.
    pub fn scan(&self, fd: Fd, from: u64, len: u64) -> Result<Found> {
        let mut found = Found { end: from, ..Found::default() };
        let end = from.saturating_add(len);
        let buffer = buffer(len)?;
        let mut seen = vec![0; self.forms.len()];
        let mut room = vec![Hit::default(); MOST_HITS];
        let mut at = from;
        while found.end < end {
            let want = buffer.len().min((end - at) as usize);
            // SAFETY: the open draft has `want` bytes or more.
            let read = buffer.with(|to| unsafe { KERNEL.pread(fd, to, want, at) })?;
            match read {
                Ok(0) => break,
                Ok(n) if at + n as u64 > found.end => {
                    let next = self.search(&buffer, n, at, &mut seen, &mut room, &mut found)?;
                    found.end = found.end.max(at + next as u64);
                    at = found.end.saturating_sub(OVERLAP as u64).max(at);
                }
                // Nothing new: the file ends here, or its next page is refused.
                Ok(_) if at < found.end => at = found.end,
                Ok(_) | Err(libc::EIO | libc::EFAULT) => {
                    let next = ((found.end / PAGE as u64 + 1) * PAGE as u64).min(end);
                    refused(&mut found.unread, found.end, next);
                    (found.end, at) = (next, next);
                }
                Err(libc::EINTR) => {}
                Err(errno) => return Err(Error::Call { call: "pread", errno }),
            }
        }
        Ok(found)
    }

    /// Looks at `n` bytes of the buffer, which lie at `at`; gives how many were looked at.
    fn search(
        &self,
        buffer: &Draft,
        n: usize,
        at: u64,
        seen: &mut [usize],
        room: &mut [Hit],
        found: &mut Found,
    ) -> Result<usize> {
        let (mut count, mut next) = (0, 0);
        let kept = self.kept.pin()?;
        buffer.with(|data| {
            kept.with(|table| {
                domain::run(kept.runtime, || {
                    // SAFETY: the pinned, open secret, which has the layout's size.
                    let table = unsafe { core::slice::from_raw_parts(table, self.layout.size()) };
                    // SAFETY: the open draft, of which `n` bytes were read.
                    let data = unsafe { core::slice::from_raw_parts(data.cast_const(), n) };
                    let table = Table::of(table, self.layout, &self.forms);
                    (count, next) = table.find(data, seen, room);
                })
            })
        })???;
        let hits = room.iter().take(count);
        found.hits.extend(hits.map(|hit| Hit { address: hit.address + at, ..*hit }));
        Ok(next)
    }
}

/// Room to read into.
fn buffer(len: u64) -> Result<Draft> {
    let mut size = BLOCK.min(len.max(1) as usize);
    loop {
        match Draft::new(size, Options::default()) {
            Err(Error::Limit { .. }) if size > LEAST_BLOCK => size /= 2,
            other => return other,
        }
    }
}

fn refused(unread: &mut Vec<(u64, u64)>, from: u64, to: u64) {
    match unread.last_mut() {
        Some((start, size)) if *start + *size == from => *size += to - from,
        _ => unread.push((from, to - from)),
    }
}

/// The forms of one key in a draft, how many bytes they take, and their list.
fn derived(kind: Kind, secret: &Secret, options: Options) -> Result<(Draft, usize, Vec<Form>)> {
    let len = secret.size();
    if len > MOST_KEY {
        return Err(Error::Key("a key to look for has at most 8 KiB"));
    }
    kind.check(len)?;
    let runtime = runtime::get()?;
    let draft = Draft::new(BASE_ROOM + TIMES * len, options)?;
    let mut forms = vec![Form::default(); MOST_FORMS];
    let heap = if kind == Kind::Pkcs8 { HEAP } else { 0 };
    let (mut used, mut count) = (0, 0);
    let pinned = secret.pin()?;
    let done = pinned.with(|from| {
        draft.with(|to| {
            domain::run_with_heap(runtime, heap, || {
                // SAFETY: the pinned secret is open for its length.
                let key = unsafe { core::slice::from_raw_parts(from, len) };
                // SAFETY: the draft is open and has that length.
                let room = unsafe { core::slice::from_raw_parts_mut(to, draft.len()) };
                let mut out = Out::new(room, &mut forms);
                // SAFETY: inside the domain with the secret heap.
                let readable = unsafe { derive::all(kind, key, &mut out) };
                (used, count) = out.result();
                readable && !out.full()
            })
        })
    })???;
    if !done || count == 0 {
        return Err(Error::Key("the key is not what its kind says, or cannot be read"));
    }
    forms.truncate(count);
    Ok((draft, used, forms))
}

//! Keys from passwords: PBKDF2 (RFC 8018), scrypt (RFC 7914), Argon2id (RFC 9106). Rust because
//! the password is secret.
//!
//! Password, keyed state and result stay in secret memory; the large arrays of scrypt and
//! Argon2 do not (see `work`). These functions take long, so the password is copied into pages of
//! its own and its slot closed again: with the mprotect gate, which opens for all threads, no
//! other secret of its area is open meanwhile.

use super::mac::Hash;
use super::ok;
use crate::asm;
use crate::bounce::Bounce;
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::runtime::{self, Runtime};
use crate::secret::{Options, Secret};
use crate::work::Work;
use argon2::{Algorithm, Argon2, AssociatedData, Block, Params, ParamsBuilder, Version};

/// Bytes of heap for the library's small objects.
const HEAP: usize = 4 << 10;

/// Copies the secrets into pages of their own, runs `code` with them and room for `length` bytes
/// open, and makes those a secret.
fn derive(
    secrets: [Option<&Secret>; 2],
    length: usize,
    options: Options,
    code: impl FnOnce(&'static Runtime, [(*const u8, usize); 2], *mut u8) -> Result<bool>,
) -> Result<Option<Secret>> {
    let draft = Draft::new(length, options)?;
    let sizes = secrets.map(|secret| secret.map_or(0, Secret::size));
    let starts = [0, sizes.first().copied().unwrap_or(0)];
    let end = sizes.iter().sum::<usize>();
    let pages = Bounce::of(end + length)?;
    for (secret, start) in secrets.into_iter().zip(starts) {
        let Some(secret) = secret else { continue };
        let (pinned, size) = (secret.pin()?, secret.size());
        pinned.with(|from| {
            pages.with(|to| {
                // SAFETY: the pages have room for all of them; both gates are open.
                unsafe { asm::copy(to.wrapping_add(start), from, size) };
            })
        })??;
    }
    let done = pages.with(|at| {
        let [first, second] = starts.map(|start| at.wrapping_add(start).cast_const());
        let [first_size, second_size] = sizes;
        let given = [(first, first_size), (second, second_size)];
        code(draft.runtime(), given, at.wrapping_add(end))
    })??;
    if !done {
        return Ok(None);
    }
    pages.with(|from| {
        // SAFETY: both have `length` bytes; both gates are open.
        draft.with(|to| unsafe { asm::copy(to, from.wrapping_add(end), length) })
    })??;
    draft.finish().map(Some)
}

/// PBKDF2 with HMAC.
///
/// # Errors
/// [`Error::Key`] for no iterations or an empty result, or as every use of a secret.
pub fn pbkdf2(
    hash: Hash,
    password: &Secret,
    salt: &[u8],
    iterations: u32,
    length: usize,
    options: Options,
) -> Result<Secret> {
    if iterations == 0 {
        return Err(Error::Key("PBKDF2 takes one iteration or more"));
    }
    check_length(length, u32::MAX as usize)?;
    let method = hash.method();
    let (salt_at, salt_len) = (salt.as_ptr(), salt.len());
    let derived = derive([Some(password), None], length, options, |runtime, [given, _], to| {
        let (at, size) = given;
        domain::run_with_heap(runtime, HEAP, || {
            // SAFETY: all buffers have the lengths given; the gates are open.
            ok(unsafe {
                aws_lc_sys::PKCS5_PBKDF2_HMAC(
                    at.cast(),
                    size,
                    salt_at,
                    salt_len,
                    iterations,
                    method,
                    length,
                    to,
                )
            })
        })
    });
    derived?.ok_or(Error::Library("PKCS5_PBKDF2_HMAC"))
}

fn check_length(length: usize, most: usize) -> Result<()> {
    if length == 0 || length > most {
        return Err(Error::Key("the derived key has no length that this function gives"));
    }
    Ok(())
}

/// What scrypt costs.
#[derive(Debug, Clone, Copy)]
pub struct Scrypt {
    /// N: a power of two, above 1.
    pub n: u64,
    /// Block size in units of 128 bytes.
    pub r: u64,
    /// Parallelism; here one after the other.
    pub p: u64,
    /// Bytes of work memory that the caller allows.
    pub most: usize,
}

impl Scrypt {
    /// Bytes of work memory, as the library takes them: p, one and N blocks of 128 r bytes.
    fn work(self) -> Result<usize> {
        // The conditions of RFC 7914, section 2, and of the library's own counter.
        let fits = self.n.is_power_of_two()
            && (2..=1 << 32).contains(&self.n)
            && self.r > 0
            && self.p > 0
            && self.r.checked_mul(self.p).is_some_and(|rp| rp < 1 << 30)
            && (self.r > 3 || self.n < 1 << (16 * self.r));
        if !fits {
            return Err(Error::Key("no scrypt with these n, r and p (RFC 7914, section 2)"));
        }
        let blocks = self.n + self.p + 1;
        let bytes = blocks.checked_mul(128 * self.r).and_then(|n| usize::try_from(n).ok());
        within(bytes, self.most)
    }
}

fn within(bytes: Option<usize>, most: usize) -> Result<usize> {
    let over = Error::Key("the work memory would be larger than max_memory");
    bytes.filter(|bytes| *bytes <= most).ok_or(over)
}

/// scrypt.
///
/// # Errors
/// [`Error::Key`] for parameters that it does not take or that cost too much, [`Error::Call`] if
/// the work memory cannot be had, or as every use of a secret.
pub fn scrypt(
    password: &Secret,
    salt: &[u8],
    cost: Scrypt,
    length: usize,
    options: Options,
) -> Result<Secret> {
    let bytes = cost.work()?;
    check_length(length, (u32::MAX as usize) * 32)?;
    let work = Work::new(runtime::get()?.kernel, bytes)?;
    let (salt_at, salt_len, Scrypt { n, r, p, .. }) = (salt.as_ptr(), salt.len(), cost);
    let offer = work.offer();
    let derived = derive([Some(password), None], length, options, |runtime, [given, _], to| {
        let (at, size) = given;
        domain::run_with_heap(runtime, HEAP, || {
            // SAFETY: all buffers have the lengths given; the gates are open.
            ok(unsafe {
                aws_lc_sys::EVP_PBE_scrypt(
                    at.cast(),
                    size,
                    salt_at,
                    salt_len,
                    n,
                    r,
                    p,
                    bytes,
                    to,
                    length,
                )
            })
        })
    });
    drop(offer);
    derived?.ok_or(Error::Library("EVP_PBE_scrypt"))
}

/// What goes into Argon2id beside the password.
#[derive(Debug, Clone, Copy)]
pub struct Argon2Input<'a> {
    /// At least 8 bytes.
    pub salt: &'a [u8],
    /// A key beside the password ("pepper").
    pub secret: Option<&'a Secret>,
    /// At most 32 bytes.
    pub associated_data: &'a [u8],
}

/// What Argon2id costs.
#[derive(Debug, Clone, Copy)]
pub struct Argon2Cost {
    /// KiB of work memory, at least 8 for each lane.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Degree of parallelism; here one after the other.
    pub lanes: u32,
    /// Bytes of work memory that the caller allows.
    pub most: usize,
}

impl Argon2Cost {
    fn params(self, input: Argon2Input<'_>, length: usize) -> Result<Params> {
        let refused = Error::Key("no Argon2id with these parameters (RFC 9106, section 3.1)");
        if input.salt.len() < argon2::MIN_SALT_LEN {
            return Err(Error::Key("the salt of Argon2id has 8 bytes or more"));
        }
        let data = AssociatedData::new(input.associated_data);
        let mut builder = ParamsBuilder::new();
        builder.m_cost(self.memory).t_cost(self.passes).p_cost(self.lanes).output_len(length);
        builder.data(data.map_err(|_| Error::Key("associated data has at most 32 bytes"))?);
        builder.build().map_err(|_| refused)
    }
}

/// Argon2id, version 1.3.
///
/// # Errors
/// As [`scrypt`].
pub fn argon2id(
    password: &Secret,
    input: Argon2Input<'_>,
    cost: Argon2Cost,
    length: usize,
    options: Options,
) -> Result<Secret> {
    let params = cost.params(input, length)?;
    let blocks = params.block_count();
    let bytes = within(blocks.checked_mul(Block::SIZE), cost.most)?;
    let work = Work::new(runtime::get()?.kernel, bytes)?;
    let memory: *mut Block = work.base().cast();
    let secrets = [Some(password), input.secret];
    let derived = derive(secrets, length, options, |runtime, [first, second], to| {
        domain::run(runtime, || {
            // SAFETY: open, and of that size.
            let password = unsafe { core::slice::from_raw_parts(first.0, first.1) };
            // SAFETY: as above, or no bytes.
            let extra = unsafe { core::slice::from_raw_parts(second.0, second.1) };
            // SAFETY: the pages are open and have that length.
            let out = unsafe { core::slice::from_raw_parts_mut(to, length) };
            // SAFETY: the work memory has that many blocks, is aligned to a page, and blocks are
            // numbers.
            let memory = unsafe { core::slice::from_raw_parts_mut(memory, blocks) };
            fill(params.clone(), (password, extra, input.salt), memory, out)
        })
    });
    derived?.ok_or(Error::Library("Argon2id"))
}

/// Inside the domain: does not allocate.
fn fill(
    params: Params,
    (password, extra, salt): (&[u8], &[u8], &[u8]),
    memory: &mut [Block],
    out: &mut [u8],
) -> bool {
    Argon2::new_with_secret(extra, Algorithm::Argon2id, Version::V0x13, params)
        .and_then(|argon2| argon2.hash_password_into_with_memory(password, salt, out, memory))
        .is_ok()
}

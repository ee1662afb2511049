//! The body of a PEM block (RFC 7468). Rust because the text is secret.

use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};
use pem_rfc7468::Decoder;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

impl Secret {
    /// What the base64 of the first PEM block stands for, or of the first one with that label.
    ///
    /// # Errors
    /// [`Error::Pem`] if there is no such block or it is damaged, or as every use of a secret.
    pub fn pem_body(&self, label: Option<&str>, options: Options) -> Result<Self> {
        let pinned = self.pin()?;
        let len = self.size();
        let draft = Draft::new(len, options)?;
        let mut found = false;
        let written = pinned.with(|from| {
            draft.with(|to| {
                domain::run(pinned.runtime, || {
                    // SAFETY: the slot is open and holds `len` bytes.
                    let text = unsafe { core::slice::from_raw_parts(from, len) };
                    // SAFETY: so does the draft, which is another slot.
                    let out = unsafe { core::slice::from_raw_parts_mut(to, len) };
                    let block = block(text, label)?;
                    found = true;
                    decode(block, out)
                })
            })
        })???;
        match written {
            Some(len) => draft.finish_at(len),
            None if found => Err(Error::Pem("the PEM block is damaged")),
            None if label.is_some() => Err(Error::Pem("the text has no PEM block of that label")),
            None => Err(Error::Pem("the text has no PEM block")),
        }
    }
}

/// Inside the domain, as all below: from the line that begins the block to its end.
pub(crate) fn block<'a>(text: &'a [u8], label: Option<&str>) -> Option<&'a [u8]> {
    let mut rest = text;
    loop {
        rest = rest.get(position(rest, BEGIN)?..)?;
        let name = rest.get(BEGIN.len()..)?;
        let name = name.get(..position(name, DASHES)?)?;
        if label.is_none_or(|wanted| wanted.as_bytes() == name) {
            let end = position(rest, END)?;
            let tail = rest.get(end + END.len()..)?;
            let last = end + END.len() + position(tail, DASHES)? + DASHES.len();
            return rest.get(..last);
        }
        rest = rest.get(BEGIN.len()..)?;
    }
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|w| w == part)
}

/// How many bytes the block stands for, put into `out`.
pub(crate) fn decode(block: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut decoder = Decoder::new_detect_wrap(block).ok()?;
    let out = out.get_mut(..decoder.remaining_len())?;
    decoder.decode(out).ok().map(<[u8]>::len)
}

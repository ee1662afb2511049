//! The round keys of AES (FIPS 197), as they lie in memory. Rust because they are as good as the
//! key.
//!
//! A library for AES keeps its schedule to itself, and its form depends on the processor, so the
//! expansion is written out here, on the `aes` crate's round functions.

use aes::Block;
use aes::hazmat::{cipher_round, inv_mix_columns};

/// Words of the longest schedule: 15 round keys.
const MOST_WORDS: usize = 60;
/// Bytes of it.
pub(super) const MOST: usize = 4 * MOST_WORDS;

type Word = [u8; 4];

/// SubWord (section 5.2). A round without its mixing is the S-box and ShiftRows, which changes
/// nothing on four equal columns.
fn substituted(word: Word) -> Word {
    let mut block = Block::default();
    for column in block.as_mut_slice().chunks_exact_mut(4) {
        column.copy_from_slice(&word);
    }
    cipher_round(&mut block, &Block::default());
    inv_mix_columns(&mut block);
    block.first_chunk().copied().unwrap_or_default()
}

fn sum(a: Word, b: Word) -> Word {
    (u32::from_ne_bytes(a) ^ u32::from_ne_bytes(b)).to_ne_bytes()
}

/// Writes the schedule of a key of 16, 24 or 32 bytes (section 5.2); gives its bytes.
pub(super) fn schedule(key: &[u8], out: &mut [u8; MOST]) -> usize {
    let (first, _) = key.as_chunks::<4>();
    let count = first.len();
    let (words, _) = out.as_chunks_mut::<4>();
    let total = 4 * (count + 7);
    let mut constant = 1u8;
    for index in 0..total {
        let before = |back: usize| index.checked_sub(back).and_then(|i| words.get(i)).copied();
        let word = match (first.get(index), before(1), before(count)) {
            (Some(word), ..) => *word,
            (None, Some([a, b, c, d]), Some(old)) => {
                let mut last = [a, b, c, d];
                if index % count == 0 {
                    last = sum(substituted([b, c, d, a]), [constant, 0, 0, 0]);
                    // Doubling in the field of section 4.
                    constant = constant << 1 ^ if constant & 0x80 == 0 { 0 } else { 0x1b };
                } else if count > 6 && index % count == 4 {
                    last = substituted(last);
                }
                sum(old, last)
            }
            _ => continue,
        };
        if let Some(place) = words.get_mut(index) {
            *place = word;
        }
    }
    4 * total
}

/// Turns a schedule into that of the equivalent inverse cipher (section 5.3.5), in the order in
/// which decryption takes its round keys.
pub(super) fn inverted(schedule: &mut [u8]) {
    let (rounds, _) = schedule.as_chunks_mut::<16>();
    rounds.reverse();
    let last = rounds.len().saturating_sub(1);
    for (_, round) in rounds.iter_mut().enumerate().filter(|(i, _)| (1..last).contains(i)) {
        let mut block = Block::from(*round);
        inv_mix_columns(&mut block);
        round.copy_from_slice(&block);
    }
}

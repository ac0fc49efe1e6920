//! Owners: 32 bytes as four little-endian words, in the order of their bytes.

/// 32 bytes.
pub type Owner = [u64; 4];

/// Whether two owners are one. Word by word: a call of memcmp costs more than it saves.
#[inline(always)]
pub fn same(left: &Owner, right: &Owner) -> bool {
    left[0] == right[0] && left[1] == right[1] && left[2] == right[2] && left[3] == right[3]
}

/// Whether the bytes of `left` stand strictly before those of `right`.
#[inline]
pub fn before(left: &Owner, right: &Owner) -> bool {
    let differing = left.iter().zip(right).find(|(left, right)| left != right);
    differing.is_some_and(|(left, right)| word_before(*left, *right))
}

/// The same of words that differ: the first byte that does decides. Swapping the bytes of both
/// would take longer where no instruction does it, and in a sorted table this byte comes early.
#[inline(always)]
fn word_before(mut left: u64, mut right: u64) -> bool {
    while left as u8 == right as u8 {
        left >>= 8;
        right >>= 8;
    }
    (left as u8) < right as u8
}

#[cfg(test)]
mod tests {
    use super::{before, same};

    #[test]
    fn owners_compare_as_their_bytes() {
        let of = |place: usize, byte: u8| {
            let mut bytes = [7; 32];
            bytes[place] = byte;
            let mut words = bytes
                .as_chunks::<8>()
                .0
                .iter()
                .map(|w| u64::from_le_bytes(*w));
            [0; 4].map(|_: u64| words.next().unwrap_or_default())
        };
        for place in [0, 7, 8, 31] {
            assert!(before(&of(place, 6), &of(place, 8)));
            assert!(!before(&of(place, 8), &of(place, 6)));
            assert!(!same(&of(place, 8), &of(place, 6)));
        }
        assert!(before(&of(1, 8), &of(0, 8)));
        assert!(!before(&of(3, 8), &of(3, 8)) && same(&of(3, 8), &of(3, 8)));
    }
}

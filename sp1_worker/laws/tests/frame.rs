//! Sections whose lengths are no whole words: judged in their place, unless an earlier one fails.

mod witness;

use witness::{plain, rank, sections, HEAD};

const SECTIONS: usize = 14;

#[test]
fn a_section_of_no_whole_words_is_the_violation() {
    let data = plain();
    let (head, whole) = (&data[..HEAD], sections(&data));
    assert_eq!(whole.len(), SECTIONS);
    assert_eq!(rank(head, &whole), None);
    for section in 0..SECTIONS {
        for more in 1..8 {
            let mut longer = whole.clone();
            let size = longer[section].len() + more;
            longer[section].resize(size, 0);
            assert_eq!(rank(head, &longer), Some((0, section as u64)));
            let mut shorter = whole.clone();
            let size = shorter[section].len().saturating_sub(more);
            shorter[section].truncate(size);
            let due = (!whole[section].is_empty()).then_some((0, section as u64));
            assert_eq!(rank(head, &shorter), due);
        }
    }
}

#[test]
fn of_two_such_sections_the_first_is_the_violation_and_none_hides_an_earlier_one() {
    let data = plain();
    let (head, mut broken) = (&data[..HEAD], sections(&data));
    broken[9].push(0);
    broken[4].push(0);
    assert_eq!(rank(head, &broken), Some((0, 4)));
    broken[0][32..40].fill(0);
    assert_eq!(rank(head, &broken), Some((0, 0)));
    assert_eq!(rank(&[0; HEAD], &broken), Some((0, 14)));
    broken.pop();
    assert_eq!(rank(head, &broken), Some((0, 14)));
}

#[test]
fn sections_that_are_whole_words_again_do_not_make_up_for_one_that_is_not() {
    let data = plain();
    let (head, whole) = (&data[..HEAD], sections(&data));
    for section in 0..SECTIONS - 2 {
        let mut broken = whole.clone();
        broken[section].push(0);
        broken[section + 1].extend([0; 7]);
        assert_eq!(rank(head, &broken), Some((0, section as u64)));
    }
}

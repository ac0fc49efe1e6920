extern crate std;

use super::order_pass::{kept, Cursor};
use super::pair_line::Line;
use super::sum::Sum;
use crate::rates::{edge, PairRate};
use crate::units::{word_product, RATION_ONE};
use crate::wide::Wide;

const RATES: [u64; 4] = [1 << 60, (1 << 60) + 1, 0x5EED_5EED_5EED_5EED, (1 << 63) - 1];

fn line(shift: u32, gross: u64, net: u64, cut: u64) -> Line {
    let rate = PairRate {
        pay: 0,
        receive: 1,
        shift,
        gross,
        net,
        worst: 1,
        edge: edge(net, 1),
    };
    Line::new(&rate, cut, 1)
}

/// Amounts at and around every power of two.
fn amounts() -> impl Iterator<Item = u64> {
    (0..64).flat_map(|bits| {
        let power = 1u64 << bits;
        [power - 1, power, power + 1, power | power >> 1]
    })
}

#[test]
fn one_multiplication_gives_what_product_and_shift_give() {
    for shift in 0..=126 {
        for rate in RATES {
            let line = line(shift, rate, rate, 0);
            for amount in amounts().filter(|amount| *amount <= line.most) {
                let due = word_product(amount, rate) >> shift;
                let found = line.receives(line.scaled(amount), rate);
                assert_eq!(u128::from(found), due, "{amount} {rate} {shift}");
                assert!(found < rate);
            }
        }
    }
}

#[test]
fn beyond_the_greatest_such_amount_a_bit_is_lost() {
    for shift in 1..64 {
        let line = line(shift, RATES[3], RATES[3], 0);
        let amount = line.most + 1;
        let due = word_product(amount, RATES[3]) >> shift;
        let found = line.receives(line.scaled(amount), RATES[3]);
        assert_ne!(u128::from(found), due, "{shift}");
    }
    assert_eq!(line(0, RATES[0], RATES[0], 0).most, 0);
    assert_eq!(line(64, RATES[0], RATES[0], 0).most, u64::MAX);
}

#[test]
fn dust_is_the_greatest_amount_that_receives_nothing() {
    for shift in 0..=126 {
        for net in RATES {
            let line = line(shift, net, net, 0);
            assert_eq!(line.rate.net_of(line.dust), 0);
            if let Some(next) = line.dust.checked_add(1) {
                assert!(line.rate.net_of(next) > 0, "{shift} {net}");
            }
        }
    }
}

#[test]
fn a_ration_leaves_its_share_unless_that_receives_nothing() {
    let (shift, rate) = (70, 1 << 60);
    let whole = line(shift, rate, rate, 0);
    assert_eq!(whole.dust, (1 << 10) - 1);
    assert_eq!(kept(&whole, 1 << 10), 1 << 10);
    assert_eq!(kept(&whole, (1 << 10) - 1), 0);
    assert_eq!(kept(&line(shift, rate, rate, RATION_ONE), (1 << 62) - 1), 0);
    let half = line(shift, rate, rate, RATION_ONE / 2);
    assert_eq!(kept(&half, (1 << 62) - 1), (1 << 61) - 1);
    assert_eq!(kept(&half, 1 << 11), 1 << 10);
    assert_eq!(kept(&half, (1 << 11) - 1), 0);
}

#[test]
fn sums_carry_through_all_three_words() {
    let (mut sum, mut due) = (Sum::default(), Wide::ZERO);
    for term in amounts().chain([u64::MAX; 5]) {
        sum.add(term);
        due += Wide::from(term);
        sum.add_wide(u128::MAX - u128::from(term));
        due += Wide::from(u128::MAX - u128::from(term));
        assert_eq!(sum.wide(), due);
    }
    let mut twice = sum;
    twice.merge(sum);
    assert_eq!(twice.wide(), due + due);
    assert!(twice.wide() > Wide::from(u128::MAX));
}

#[test]
fn a_list_answers_for_the_orders_that_stand_in_it() {
    let rows = [[1, 10], [4, 40], [5, 50]];
    let mut listed = Cursor(&rows);
    let found: std::vec::Vec<_> = (0..7).map(|index| listed.at(index)).collect();
    let due = [None, Some(10), None, None, Some(40), Some(50), None];
    assert_eq!(found, due);
    // Rows of orders that nobody asks for are passed by.
    assert_eq!(Cursor(&rows).at(5), Some(50));
    assert_eq!(Cursor(&rows).at(3), None);
}

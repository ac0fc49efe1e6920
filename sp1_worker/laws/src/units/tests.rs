//! Arithmetic and unit rules against the values that Python's integers give.

extern crate std;

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{
    divide_two_words, limit_rate, log_ratio, net_rate, partial_fill_shift, quotient_word,
    rate_shift, Leading,
};
use crate::wide::Wide;

const CASES: &str = include_str!("../../../../tests/vectors/numbers/numbers.tsv");

fn wide(text: &str) -> Wide {
    let digits = text.trim_start_matches('-');
    let value = digits.bytes().fold(Wide::ZERO, |value, digit| {
        value * Wide::from(10u64) + Wide::from(u64::from(digit - b'0'))
    });
    if digits == text {
        value
    } else {
        -value
    }
}

/// Left and right side of a case, as text that can be compared.
fn sides(rule: &str, given: &[&str], result: &str) -> (String, String) {
    let wides = |value: Wide| (format!("{value:?}"), format!("{:?}", wide(result)));
    let plain = |value: i128| (value.to_string(), result.to_string());
    let (first, second) = (given[0], given.get(1).copied().unwrap_or("0"));
    let number = |text: &str| text.parse::<i128>().unwrap();
    match rule {
        "add" => wides(wide(first) + wide(second)),
        "subtract" => wides(wide(first) - wide(second)),
        "multiply" => wides(wide(first) * wide(second)),
        "compare" => plain(wide(first).cmp(&wide(second)) as i128),
        "divide" => wides(wide(first).divide(wide(second))),
        "divide_up" => wides(wide(first).divide_up(wide(second))),
        "shift_left" => wides(wide(first).shift_left(second.parse().unwrap())),
        "shift_right" => wides(wide(first).shift_right(second.parse().unwrap())),
        "shift_right_up" => wides(wide(first).shift_right_up(second.parse().unwrap())),
        "divide_two_words" => {
            let word = |text: &str| text.parse::<u64>().unwrap();
            let quotient = divide_two_words(word(first), word(second), word(given[2]));
            plain(i128::from(quotient))
        }
        "quotient_word" => {
            let shift = second.parse().unwrap();
            let (dividend, divisor) = (first.parse().unwrap(), given[2].parse().unwrap());
            let found = quotient_word(dividend, shift, divisor);
            if let Some((quotient, exact)) = found {
                let back = Wide::from(quotient) * Wide::from(divisor);
                assert_eq!(exact, back == Wide::from(dividend).shift_left(shift));
            }
            let text = found.map_or("far".to_string(), |(quotient, _)| quotient.to_string());
            (text, result.to_string())
        }
        "log_ratio" => {
            let value = log_ratio(first.parse().unwrap(), second.parse().unwrap());
            let text = value.map_or("far".to_string(), |value| value.to_string());
            (text, result.to_string())
        }
        "rate_shift" => {
            let (pay, receive) = (first.parse().unwrap(), second.parse().unwrap());
            plain(i128::from(rate_shift(pay, receive)))
        }
        "limit_rate" => plain(i128::from(limit_rate(
            number(first) as u64,
            number(second) as i64,
            number(given[2]) as i64,
        ))),
        "net_rate" => plain(i128::from(net_rate(
            number(first) as u64,
            number(second) as u64,
        ))),
        "partial_fill_shift" => plain(i128::from(partial_fill_shift(number(first) as u64))),
        other => panic!("no rule {other}"),
    }
}

#[test]
fn every_rule_gives_what_python_gives() {
    let mut cases = 0;
    for line in CASES.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let given: Vec<&str> = columns[1].split(' ').collect();
        let (left, right) = sides(columns[0], &given, columns[2]);
        assert_eq!(left, right, "{line}");
        cases += 1;
    }
    assert!(cases > 1000);
}

#[test]
fn values_leave_for_narrower_types_only_where_they_fit() {
    for value in [0, 1, -1, i128::MAX, i128::MIN] {
        assert_eq!(Wide::from(value).to_i128(), Some(value));
    }
    let one = Wide::from(1u64);
    assert_eq!((Wide::from(i128::MAX) + one).to_i128(), None);
    assert_eq!((Wide::from(i128::MIN) - one).to_i128(), None);
    assert_eq!(Wide::from(u128::MAX).to_u128(), Some(u128::MAX));
    assert_eq!((Wide::from(u128::MAX) + one).to_u128(), None);
    assert_eq!((-one).to_u128(), None);
}

#[test]
fn a_pair_of_equal_prices_has_shift_61() {
    assert_eq!(Leading::of(u128::MAX).shift_to(&Leading::of(u128::MAX)), 61);
    assert_eq!(rate_shift(1, 1), 61);
}

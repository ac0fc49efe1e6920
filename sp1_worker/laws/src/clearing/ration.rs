//! The cut of a directed pair in a rationed epoch.

use crate::rates::PairRate;
use crate::units::{RATION_ONE, RATION_SHIFT};
use crate::view::View;
use crate::wide::Wide;

/// h: `clip(((rho omega_receive) >> 40) - omega_pay, 0, 2^40)`; 0 in an epoch without rationing.
///
/// `rho = (P_i Pbar_j 2^40) // (Pbar_i P_j)` is at most 2^42: R < 2^63 keeps `P_i / P_j` below
/// `2^(63 - S)`, and `Pbar_i / Pbar_j >= 2^(61 - S)`. Its numerator is below 2^296.
pub fn cut(view: &View, pair: &PairRate) -> u64 {
    let Some(omega) = view.omega else { return 0 };
    let (pay, receive) = (pair.pay, pair.receive);
    let crossed = |price: u128, reference: u128| Wide::from(price) * Wide::from(reference);
    let above = crossed(view.price(pay), view.reference.pbar(receive)).shift_left(RATION_SHIFT);
    let rho = above.divide(crossed(view.price(receive), view.reference.pbar(pay)));
    let signed = |asset: usize| Wide::from(i128::from(omega[asset] as i64));
    let cut = (rho * signed(receive)).shift_right(RATION_SHIFT) - signed(pay);
    if cut.is_negative() {
        return 0;
    }
    let cut = cut.to_u128().unwrap_or(u128::MAX);
    cut.min(u128::from(RATION_ONE)) as u64
}

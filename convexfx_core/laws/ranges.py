"""The parts of L0 that look into tables: pool, vaults, bands, pairs, demands, rejects.

``l00_decode`` calls one for each section that is more than a row of numbers. Each raises
``CodecError``; L0 turns it into the index of its section. Source: ``docs/invariants.md``, L0.
"""

import numpy as np
from numpy.typing import NDArray

from convexfx_core.errors import ClearingRefused, CodecError
from convexfx_core.laws.decoded_witness import kind1_index, usual_demand
from convexfx_core.laws.l00_ranges import BAND_SHIFT
from convexfx_core.ledger.vaults import PoolState
from convexfx_core.limits import BALANCE_MAX, NONCE_MAX, RATE_SHIFT_MAX
from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference
from convexfx_core.orders.row import KIND_ORDER
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import RejectKind
from convexfx_core.settlement.rates import RateTable, rate_table, used_pairs
from convexfx_core.units import LOG_SHIFT, log_ratio, rate_shift

BAND_LOG_DIVISOR = 10**10
"""A band unit is 1e-10 of a log price."""
BAND_SLACK = 1 << 17
"""What the logarithm may be off: 2.5e-15 at 300 bps is below 2^16 at scale 2^64, and its floors are
a few units more."""


def check_pool(pool: PoolState) -> None:
    """Nonce and balances in range, fees accrued inside the balances."""
    _expect(pool.nonce <= NONCE_MAX, f"a pool nonce up to {NONCE_MAX}", pool.nonce)
    for balance, fees in zip(pool.balances, pool.fees_accrued, strict=True):
        _expect(fees <= balance <= BALANCE_MAX, "fees <= balance < 2^63", (fees, balance))


def check_vaults(rows: NDArray[np.void]) -> None:
    """Nonces and balances in range."""
    _expect(bool((rows["nonce"] <= NONCE_MAX).all()), "vault nonces below 2^63", "more")
    _expect(bool((rows["balance"] <= BALANCE_MAX).all()), "vault balances below 2^63", "more")


def check_bands(reference: Reference, params: Params) -> None:
    """Bands no wider than the parameters say; shifts of the extreme pair in [0, 126].

    The logarithm's eight terms have a second zero far from the reference price, so the distance
    itself is bounded first.
    """
    for i in range(1, params.n):
        pbar = reference.pbar[i]
        spread = max(pbar - reference.plo[i], reference.phi[i] - pbar)
        _expect(spread <= pbar >> BAND_SHIFT, f"a band within {pbar >> BAND_SHIFT}", spread)
        width = (params.band[i] << LOG_SHIFT) // BAND_LOG_DIVISOR + BAND_SLACK
        for edge in (reference.plo[i], reference.phi[i]):
            distance = log_ratio(edge, reference.pbar[i])
            _expect(abs(distance) <= width, f"a log distance up to {width}", distance)
    low, high = min(reference.pbar), max(reference.pbar)
    shifts = rate_shift(high, low), rate_shift(low, high)
    inside = min(shifts) >= 0 and max(shifts) <= RATE_SHIFT_MAX
    _expect(inside, f"rate shifts from 0 to {RATE_SHIFT_MAX}", shifts)


def check_pairs(pairs: NDArray[np.void], case: ClearingCase, prices: tuple[int, ...]) -> RateTable:
    """Rate rows of exactly the used pairs, shift and rate by their rules; returns the rates."""
    used = used_pairs(case)
    listed = [(int(row["pay"]), int(row["receive"])) for row in pairs]
    _expect(listed == used, f"the {len(used)} pairs of the orders, increasing", len(listed))
    try:
        rates = rate_table(case, prices)
    except ClearingRefused as error:
        raise CodecError(error.field, error.expected, error.observed) from error
    for row, (pay, receive) in zip(pairs, used, strict=True):
        at = pay * case.params.n + receive
        derived = int(rates.shift[at]), int(rates.gross[at])
        claimed = int(row["shift"]), int(row["rate"])
        _expect(claimed == derived, f"shift and rate {derived}", claimed)
    return rates


def check_demands(
    demanded: NDArray[np.void], orders: NDArray[np.void], case: ClearingCase, rates: RateTable
) -> None:
    """Kind-1 orders, strictly increasing, within budgets, and only where it is not the usual.

    An order that demands what everybody would expect (``usual_demand``) may not be listed: one
    outcome has one encoding.
    """
    at = _increasing_orders(demanded["order"], orders)
    amounts = demanded["demanded"]
    _expect(bool((amounts <= orders["budget"][at]).all()), "demands within budgets", "more")
    usual = np.zeros(len(orders), dtype=np.uint64)
    usual[kind1_index(orders)] = usual_demand(case, rates)
    _expect(
        bool((amounts != usual[at]).all()), "only demands that are not the usual", "a usual one"
    )


def check_rejects(
    rejects: NDArray[np.void], orders: NDArray[np.void], demanded: NDArray[np.void]
) -> None:
    """Kind-1 orders, strictly increasing, of a known kind, none of them with a demand."""
    at = _increasing_orders(rejects["order"], orders)
    known = np.isin(rejects["kind"], [kind.value for kind in RejectKind])
    _expect(bool(known.all()), "reject kinds 1 and 2", "another one")
    listed = np.isin(at, demanded["order"].astype(np.int64))
    _expect(not listed.any(), "no demand of a rejected order", "one")


def _increasing_orders(column: NDArray[np.uint64], orders: NDArray[np.void]) -> NDArray[np.int64]:
    _expect(bool((column < len(orders)).all()), f"order indices below {len(orders)}", "more")
    _expect(bool((column[1:] > column[:-1]).all()), "strictly increasing order indices", "others")
    at = column.astype(np.int64)
    _expect(bool((orders["kind"][at] == KIND_ORDER).all()), "kind-1 orders", "a cancel")
    return at


def _expect(holds: bool, expected: str, observed: object) -> None:
    if not holds:
        raise CodecError("witness", expected, observed)

"""What each law says, in a few words: for commands, pages and documents."""

from typing import Final

LAW_NAMES: Final = {
    0: "decodes, in range",
    1: "paid within budget",
    2: "limit honoured",
    3: "amounts by the floor rule",
    4: "in the money means filled",
    5: "minimum fill",
    6: "inventory exact",
    7: "prices inside their bands",
    8: "overflow only at the band",
    9: "price rule",
    10: "rationing at its bound, equal for a pair",
    11: "rejections justified",
    12: "inventory bounds",
    13: "order set and canonical order",
    14: "nonces",
    15: "expiry",
    16: "balances",
    17: "who pays receives",
    18: "diffs follow from fills and sum to zero",
    19: "derived values",
    20: "better limits first, equal limits equal parts",
}
"""By number; ``docs/invariants.md`` has the formulas."""

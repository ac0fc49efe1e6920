"""Times the state transition and the laws by number of orders; prints one JSON line a case.

``python -m bench.transition [orders ...]``. ``apply_s`` makes an epoch out of orders, prices and
fills; ``check_s`` is what every verifier repeats: the integer laws on the witness. Each figure is
the best of three, in seconds. The array for the gateway is built up to 100,000 orders.
"""

import json
import resource
import sys
import time
from collections.abc import Callable

from convexfx_core.laws import check
from convexfx_core.records.gateway_array import payout_payloads, verifiables_with_diffs
from tests.support.clearing_cases import Shape
from tests.support.witnesses.epochs import epoch_of

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ARRAY_ORDERS_MAX = 100_000
REPEATS = 3


def best(action: Callable[[], object]) -> float:
    """Least seconds of a few runs."""
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return round(min(found), 4)


def case(orders: int) -> dict[str, object]:
    """Figures of an epoch of so many orders in six assets, four a vault."""
    epoch = epoch_of(Shape(assets=6, orders=orders, gross=200.0), 1, cancels=orders // 50)
    result = epoch.apply()
    figures: dict[str, object] = {
        "orders": len(epoch.batch.orders),
        "fills": result.fills.count,
        "witness_megabytes": round(len(result.witness) / 1e6, 1),
        "apply_s": best(epoch.apply),
        "check_s": best(lambda: check(result.witness)),
    }
    if orders <= ARRAY_ORDERS_MAX:
        payloads = payout_payloads(epoch.opening, result)
        signatures = [bytes(64)] * len(payloads)
        figures["payloads_s"] = best(lambda: payout_payloads(epoch.opening, result))
        figures["array_s"] = best(
            lambda: verifiables_with_diffs(
                epoch.opening, epoch.batch, result, bytes(32), signatures
            )
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**figures, "peak_megabytes": round(peak / 1e3)}


if __name__ == "__main__":
    for size in [int(text) for text in sys.argv[1:]] or SIZES:
        print(json.dumps(case(size)), flush=True)

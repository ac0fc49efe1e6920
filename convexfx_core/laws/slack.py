"""How near to a bound of its inventory an asset counts as standing at it.

L10 allows a cut only at a bound. Integers cannot always land on it, so an inventory within
``slack`` of its bound counts as being there; L12 still holds to the unit. Source: ``docs/spec.md``
section 7, row slack_i.
"""

from convexfx_core.laws.order_facts import RATION_ONE, ClaimedClearing
from convexfx_core.laws.totals import Totals
from convexfx_core.units import ceil_div


def bounds(clearing: ClaimedClearing, asset: int) -> tuple[int, int]:
    """Least and greatest inventory after the epoch, base units; the opening one always fits."""
    held, params = clearing.case.inventory[asset], clearing.case.params
    return min(params.q_min[asset], held), max(params.q_max[asset], held)


def bound_slack(clearing: ClaimedClearing, totals: Totals) -> tuple[int, ...]:
    """Distance from a bound that rounding cannot avoid, base units by asset.

    One unit; for every order wanted, the floor of a rationed fill, in units of the asset, and
    the units that a fill may lose because it would receive nothing; two steps of omega (2^-40 of
    the flow wanted each): see ``docs/spec.md`` section 7.
    """
    n = clearing.case.params.n
    flows = zip(totals.want_in, totals.want_out, strict=True)
    slack = [1 + 2 * ceil_div(into + out, RATION_ONE) for into, out in flows]
    for pair, count in enumerate(totals.wants):
        if count:
            pay, receive = divmod(pair, n)
            rate = clearing.rates.at(pair)
            slack[pay] += count * (ceil_div(1 << rate.shift, rate.net) + 1)
            slack[receive] += count * ((rate.gross >> rate.shift) + 2)
    return tuple(slack)

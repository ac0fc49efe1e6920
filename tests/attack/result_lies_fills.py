"""Lies about fills, the order set, and the values derived from them."""

from dataclasses import replace

import numpy as np

from tests.attack.result_lies import (
    budget_of,
    bump,
    edit,
    first_id,
    paying,
    position,
    resettle,
    row,
)


def _bump(key, units, status="filled", reason=None):
    def change(tree):
        fill = row(tree, status, reason)
        fill[key] = bump(fill[key], units)

    return change


edit("a unit beyond the budget", "plain", 1)(_bump("paid", 1))
edit("a unit received more", "plain", 3)(_bump("received", 1))
edit("a unit received less", "plain", 3)(_bump("received", -1))
edit("a unit of fee more", "plain", 3)(_bump("fee", 1))
edit("a unit received by an unfilled order", "plain", 3)(_bump("received", 1, "unfilled", "limit"))
edit("a fee of an unfilled order", "plain", 3)(_bump("fee", 1, "unfilled", "limit"))
edit("paid beyond 64 bits", "plain", 0)(_bump("paid", 1 << 64))
edit("received beyond 64 bits", "plain", 0)(_bump("received", 1 << 64))
edit("paid below nothing", "plain", 0)(_bump("paid", -1, "unfilled", "limit"))
edit("fee below nothing", "plain", 0)(_bump("fee", -1, "unfilled", "limit"))
edit("an inadmissible order pays", "plain", 0)(_bump("paid", 1, "unfilled", "rejected:SELF_PAIR"))
edit("an inadmissible order receives", "plain", 0)(
    _bump("received", 1, "unfilled", "rejected:BUDGET_ZERO")
)


@edit("the fee given to the trader", "plain", 3)
def _(tree):
    fill = next(f for f in tree["fills"] if float(f["fee"]) > 1)
    fill["received"] = bump(fill["received"], int(fill["fee"].replace(".", "")))
    fill["fee"] = bump(fill["fee"], -int(fill["fee"].replace(".", "")))


@edit("two orders exchange their fills", "plain", 1)
def _(tree):
    rows = [f for f in tree["fills"] if f["status"] == "filled"]
    for key in ("paid", "received", "fee"):
        rows[0][key], rows[1][key] = rows[1][key], rows[0][key]


@resettle("an order out of its limit is filled", "plain", 2)
def _(batch, proposal):
    order = first_id("plain", "unfilled", "limit")
    return paying(batch, proposal, order, budget_of(batch, order))


@resettle("one unit of an order out of its limit", "plain", 2)
def _(batch, proposal):
    return paying(batch, proposal, first_id("plain", "unfilled", "limit"), 1)


@resettle("an order in the money is left out", "plain", 4)
def _(batch, proposal):
    return paying(batch, proposal, first_id("plain", "filled"), 0)


@resettle("an order in the money lacks one unit", "plain", 4)
def _(batch, proposal):
    order = first_id("plain", "filled")
    return paying(batch, proposal, order, budget_of(batch, order) - 1)


@resettle("half of the marginal order", "rejecting", 9)
def _(batch, proposal):
    order = first_id("rejecting", "partial", "marginal")
    return paying(batch, proposal, order, int(proposal.paid[position(batch, order)]) // 2)


@resettle("all of the marginal order", "rejecting", 9)
def _(batch, proposal):
    order = first_id("rejecting", "partial", "marginal")
    return paying(batch, proposal, order, budget_of(batch, order))


@resettle("dust pays", "plain", 17)
def _(batch, proposal):
    return paying(batch, proposal, "x3", budget_of(batch, "x3"))


@resettle("nobody is filled", "plain", 4)
def _(batch, proposal):
    return replace(proposal, paid=np.zeros_like(proposal.paid))


@resettle("everybody is filled", "plain", 2)
def _(batch, proposal):
    return replace(proposal, paid=batch.case.orders["budget"].copy())


edit("an order left out of the file", "plain", 13)(lambda t: t["fills"].pop(7))
edit("the last order left out", "plain", 13)(lambda t: t["fills"].pop())
edit("an order twice", "plain", 13)(lambda t: t["fills"].insert(3, t["fills"][3]))
edit("an order too many", "plain", 13)(lambda t: t["fills"].append({**t["fills"][-1], "id": "zz"}))
edit("no orders", "plain", 13)(lambda t: t["fills"].clear())
edit("another sequence", "plain", 13)(lambda t: t["fills"].reverse())


@edit("another name", "plain", 13)
def _(tree):
    tree["fills"][0]["id"] = "o000x"


@edit("two names exchanged", "plain", 13)
def _(tree):
    rows = tree["fills"]
    rows[0]["id"], rows[1]["id"] = rows[1]["id"], rows[0]["id"]


@edit("status", "plain", 19)
def _(tree):
    row(tree, "filled")["status"] = "partial"


@edit("reason of an unfilled order", "plain", 19)
def _(tree):
    row(tree, "unfilled", "limit")["reason"] = "marginal"


@edit("reason of a filled order", "plain", 19)
def _(tree):
    row(tree, "filled")["reason"] = "rationed"


@edit("reason of an inadmissible order", "plain", 19)
def _(tree):
    row(tree, "unfilled", "rejected:SELF_PAIR")["reason"] = "limit"


@edit("fill fraction", "rejecting", 19)
def _(tree):
    fill = row(tree, "partial", "marginal")
    fill["fill_fraction"] = bump(fill["fill_fraction"], 1)


@edit("limit that would have filled", "plain", 19)
def _(tree):
    fill = row(tree, "unfilled", "limit")
    fill["limit_that_fills"] = bump(fill["limit_that_fills"], -1)


@edit("limit that would have filled left out", "plain", 19)
def _(tree):
    del row(tree, "unfilled", "limit")["limit_that_fills"]


@edit("fees accrued", "plain", 19)
def _(tree):
    tree["fees_accrued"]["USD"] = bump(tree["fees_accrued"]["USD"], -1)


for _key, _units in (
    ("inventory_risk", -1),
    ("price_tracking", 1),
    ("fill_incentive", -1),
    ("total", -1),
):

    @edit(f"objective: {_key}", "plain", 19)
    def _(tree, key=_key, units=_units):
        tree["objective"][key] = bump(tree["objective"][key], units)


for _key in ("gap_numeraire", "price_rule_error_bps", "price_rule_tolerance_bps"):

    @edit(f"certificate: {_key}", "plain", 19)
    def _(tree, key=_key):
        tree["certificate"][key] = "0"


@edit("a certificate of more", "plain", 19)
def _(tree):
    tree["certificate"]["optimal"] = "yes"

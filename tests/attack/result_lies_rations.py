"""Lies about rationing and about orders that the clearing rejected."""

from dataclasses import replace

import numpy as np

from convexfx_core.settlement.proposal import Ration
from tests.attack.result_lies import (
    budget_of,
    bump,
    edit,
    first_id,
    paying,
    position,
    rejecting,
    resettle,
    row,
    with_demand,
)


def _omega(tree, asset, change):
    column = tree["ration"]["omega"]
    column[asset] = str(change(int(column[asset])))


edit("omega a millionth larger", "rationed", 10)(lambda t: _omega(t, "JPY", lambda w: w + 2**20))
edit("omega a millionth smaller", "rationed", 10)(lambda t: _omega(t, "CHF", lambda w: w - 2**20))
edit("omega of one asset forgotten", "rationed", 10)(lambda t: _omega(t, "JPY", lambda w: 0))
edit("omega of the other sign", "rationed", 10)(lambda t: _omega(t, "USD", lambda w: -w))
edit("omega where no bound binds", "rationed", 10)(lambda t: _omega(t, "EUR", lambda w: 1))
edit("omega beyond 64 bits", "rationed", 0)(lambda t: _omega(t, "EUR", lambda w: 1 << 63))


@edit("rationing denied", "rationed", 4)
def _(tree):
    tree["ration"] = None


@resettle("rationing denied, demand filled", "rationed", 12)
def _(batch, proposal):
    return replace(proposal, ration=None, paid=proposal.ration.demanded)


@resettle("omega without a cut", "rationed", 10)
def _(batch, proposal):
    return replace(proposal, paid=proposal.ration.demanded)


@resettle("nobody cut, no omega", "rationed", 12)
def _(batch, proposal):
    ration = Ration((0,) * len(batch.assets), proposal.ration.demanded)
    return replace(proposal, ration=ration, paid=ration.demanded)


@resettle("omega twice as large, all settled anew", "rationed", 10)
def _(batch, proposal):
    omega = tuple(2 * w for w in proposal.ration.omega)
    return replace(proposal, ration=Ration(omega, proposal.ration.demanded))


@resettle("a unit more for a cut order", "rationed", 10)
def _(batch, proposal):
    order = first_id("rationed", "partial", "rationed")
    return paying(batch, proposal, order, int(proposal.paid[position(batch, order)]) + 1)


@resettle("a unit less for a cut order", "rationed", 10)
def _(batch, proposal):
    order = first_id("rationed", "partial", "rationed")
    return paying(batch, proposal, order, int(proposal.paid[position(batch, order)]) - 1)


@resettle("a cut order in full", "rationed", 10)
def _(batch, proposal):
    order = first_id("rationed", "partial", "rationed")
    return paying(batch, proposal, order, budget_of(batch, order))


@resettle("a cut order left out", "rationed", 10)
def _(batch, proposal):
    return paying(batch, proposal, first_id("rationed", "partial", "rationed"), 0)


@resettle("demand beyond the budget", "rationed", 1)
def _(batch, proposal):
    order = first_id("rationed", "partial", "rationed")
    return with_demand(batch, proposal, order, budget_of(batch, order) + 1)


@resettle("demand of less than the budget", "rationed", 4)
def _(batch, proposal):
    order = first_id("rationed", "partial", "rationed")
    return with_demand(batch, proposal, order, budget_of(batch, order) - 1)


@resettle("demand out of the limit", "rationed", 2)
def _(batch, proposal):
    order = first_id("rationed", "unfilled", "limit")
    return with_demand(batch, proposal, order, budget_of(batch, order))


@resettle("demand of dust", "rationed", 10)
def _(batch, proposal):
    return with_demand(batch, proposal, "x3", budget_of(batch, "x3"))


@edit("demand forgotten", "rationed", 1)
def _(tree):
    del tree["ration"]["demanded"][row(tree, "partial", "rationed")["id"]]


@edit("demand of an order cut to nothing forgotten", "rationed", 4)
def _(tree):
    del tree["ration"]["demanded"][row(tree, "unfilled", "rationed")["id"]]


@edit("demand of a stranger", "rationed", 0)
def _(tree):
    tree["ration"]["demanded"]["zz"] = "1"


@edit("demand of an inadmissible order", "rationed", 0)
def _(tree):
    tree["ration"]["demanded"]["x1"] = "1"


@edit("demand below nothing", "rationed", 0)
def _(tree):
    tree["ration"]["demanded"]["x3"] = "-1"


@edit("rationing of an epoch at no bound", "plain", 10)
def _(tree):
    demanded = {f["id"]: f["paid"] for f in tree["fills"] if f["status"] == "filled"}
    omega = {"USD": "0", "EUR": "1", "JPY": "0", "CHF": "0"}
    tree["ration"] = {"omega": omega, "demanded": demanded}


@edit("demanded amount with another digit", "rationed", 4)
def _(tree):
    demanded = tree["ration"]["demanded"]
    order = row(tree, "partial", "rationed")["id"]
    demanded[order] = bump(demanded[order], -1)


def _small(batch, proposal):
    """A filled order without a minimum, the smallest in value."""
    case = batch.case
    value = case.orders["budget"] * np.array(case.reference.pbar, float)[case.orders["pay"]]
    value = np.where((proposal.paid > 0) & (case.orders["min_fill"] == 0), value, np.inf)
    return batch.orders[batch.admitted[int(np.argmin(value))]].id


@resettle("an order in the money rejected without a minimum", "crowded", 9)
def _(batch, proposal):
    return with_demand(
        batch, rejecting(batch, proposal, _small(batch, proposal), 1), _small(batch, proposal), 0
    )


@resettle("a rejected order keeps its fill", "plain", 11)
def _(batch, proposal):
    order = first_id("plain", "filled")
    return rejecting(batch, proposal, order, 1, budget_of(batch, order))


@resettle("a rejected order keeps its demand", "crowded", 11)
def _(batch, proposal):
    order = first_id("crowded", "partial", "rationed")
    paid = int(proposal.paid[position(batch, order)])
    return rejecting(batch, proposal, order, 2, paid)


@resettle("dust rejected", "plain", 11)
def _(batch, proposal):
    return rejecting(batch, proposal, "x3", 1)


@edit("a rejection forgotten", "rejecting", 4)
def _(tree):
    tree["rejected"].pop()


@edit("a rejection by rationing forgotten", "crowded", 4)
def _(tree):
    tree["rejected"].pop(0)


@edit("a rejection of another kind", "rejecting", 11)
def _(tree):
    tree["rejected"][0]["kind"] = "ration_min_fill"


@edit("rejections by rationing called rejections by price", "crowded", 11)
def _(tree):
    for rejection in tree["rejected"]:
        rejection["kind"] = "min_fill"


@edit("a rejection twice", "crowded", 0)
def _(tree):
    tree["rejected"].insert(0, tree["rejected"][0])


@edit("rejections in another sequence", "crowded", 0)
def _(tree):
    tree["rejected"].reverse()


@edit("a stranger rejected", "rejecting", 0)
def _(tree):
    tree["rejected"][0]["id"] = "zz"


@edit("an unknown kind of rejection", "rejecting", 0)
def _(tree):
    tree["rejected"][0]["kind"] = "dislike"


@resettle("a rejected order filled to its minimum less one", "rejecting", 4)
def _(batch, proposal):
    at = int(proposal.rejected[0])
    column = proposal.paid.copy()
    column[at] = int(batch.case.orders["min_fill"][at]) - 1
    return replace(
        proposal,
        paid=column,
        rejected=proposal.rejected[1:],
        reject_kinds=proposal.reject_kinds[1:],
    )


@resettle("a cut below the minimum", "crowded", 5)
def _(batch, proposal):
    least = batch.case.orders["min_fill"]
    at = int(np.flatnonzero((least > 1) & (proposal.paid > 0))[0])
    column = proposal.paid.copy()
    column[at] = int(least[at]) - 1
    return replace(proposal, paid=column)

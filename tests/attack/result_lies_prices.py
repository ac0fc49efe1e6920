"""Lies about prices, overflow and inventories."""

from dataclasses import replace

from tests.attack.result_lies import bump, edit, resettle, with_price


def _price(tree, asset, change):
    row = tree["prices"][asset]
    row["p64"] = str(change(int(row["p64"])))


edit("price moved by 2^-30", "plain", 3)(lambda t: _price(t, "EUR", lambda p: p + (p >> 30)))
edit("price of nothing", "plain", 0)(lambda t: _price(t, "EUR", lambda p: 0))
edit("price below nothing", "plain", 0)(lambda t: _price(t, "EUR", lambda p: -p))
edit("price beyond 128 bits", "plain", 0)(lambda t: _price(t, "JPY", lambda p: 1 << 130))
edit("price four times", "plain", 0)(lambda t: _price(t, "CHF", lambda p: 4 * p))
edit("numeraire one unit dearer", "plain", 7)(lambda t: _price(t, "USD", lambda p: p + 1))
edit("numeraire one unit cheaper", "rationed", 7)(lambda t: _price(t, "USD", lambda p: p - 1))


@edit("two prices exchanged", "plain", 0)
def _(tree):
    prices = tree["prices"]
    prices["EUR"], prices["JPY"] = prices["JPY"], prices["EUR"]


@edit("two near prices exchanged", "plain", 2)
def _(tree):
    prices = tree["prices"]
    prices["EUR"]["p64"] = str(int(prices["CHF"]["p64"]) // 100)


@resettle("price moved by 2^-30, all settled anew", "plain", 9)
def _(batch, proposal):
    return with_price(proposal, 1, proposal.prices[1] + (proposal.prices[1] >> 30))


@resettle("all prices at the reference", "plain", 2)
def _(batch, proposal):
    return replace(proposal, prices=batch.case.reference.pbar)


@resettle("price beyond its band, overflow at no edge", "banded", 7)
def _(batch, proposal):
    return with_price(proposal, 1, batch.case.reference.phi[1] + 1)


@resettle("price one unit inside the edge that overflow needs", "banded", 8)
def _(batch, proposal):
    return with_price(proposal, 1, proposal.prices[1] - 1)


@resettle("price at the other edge", "banded", 4)
def _(batch, proposal):
    return with_price(proposal, 3, batch.case.reference.phi[3])


def _overflow(tree, asset, units):
    column = tree["band_overflow_numeraire"]
    column[asset] = bump(column[asset], units)


edit("overflow without a band", "plain", 8)(lambda t: _overflow(t, "EUR", 1))
edit("overflow of the numeraire", "banded", 8)(lambda t: _overflow(t, "USD", -1))
edit("overflow beyond 2^80", "banded", 0)(lambda t: _overflow(t, "EUR", -(1 << 81)))
edit("a million more overflow", "banded", 9)(lambda t: _overflow(t, "EUR", -(10**12)))
edit("a dollar less overflow", "banded", 9)(lambda t: _overflow(t, "JPY", 10**6))


@edit("overflow of the other sign", "banded", 8)
def _(tree):
    column = tree["band_overflow_numeraire"]
    column["EUR"] = column["EUR"].lstrip("-")


@edit("overflow hidden", "banded", 9)
def _(tree):
    tree["band_overflow_numeraire"]["CHF"] = "0.000000"


@edit("overflow of two assets exchanged", "banded", 9)
def _(tree):
    column = tree["band_overflow_numeraire"]
    column["EUR"], column["JPY"] = column["JPY"], column["EUR"]


def _after(tree, asset, units):
    tree["inventory_after"][asset] = bump(tree["inventory_after"][asset], units)


edit("a unit of inventory appears", "plain", 6)(lambda t: _after(t, "USD", 1))
edit("a unit of inventory vanishes", "rationed", 6)(lambda t: _after(t, "JPY", -1))
edit("inventory below nothing", "banded", 6)(lambda t: _after(t, "CHF", -(10**15)))


@edit("fees counted as inventory", "plain", 6)
def _(tree):
    units = int(tree["fees_accrued"]["EUR"].replace(".", ""))
    assert units > 0
    _after(tree, "EUR", units)


@edit("displayed price", "plain", 19)
def _(tree):
    tree["prices"]["EUR"]["numeraire"] = bump(tree["prices"]["EUR"]["numeraire"], 1)


@edit("displayed log price", "plain", 19)
def _(tree):
    tree["prices"]["EUR"]["log_price"] = bump(tree["prices"]["EUR"]["log_price"], 1)


@edit("displayed deviation", "plain", 19)
def _(tree):
    tree["deviation_bps"]["JPY"] = "0"


@edit("rate shift", "plain", 19)
def _(tree):
    tree["rate_shift"]["USD/EUR"] += 1


for _section in ("deviation_bps", "rate_shift", "fees_accrued", "objective", "certificate"):
    edit(f"a field beside {_section} that says nothing", "plain", 19)(
        lambda t, s=_section: t[s].update(XXX="nothing")
    )
edit("a limit that fills what is filled", "plain", 19)(
    lambda t: next(f for f in t["fills"] if f["status"] == "filled").update(
        limit_that_fills="nothing"
    )
)


@edit("rate shift as a text", "plain", 19)
def _(tree):
    tree["rate_shift"]["USD/EUR"] = str(tree["rate_shift"]["USD/EUR"])


@edit("rate shift missing", "plain", 19)
def _(tree):
    del tree["rate_shift"]["USD/EUR"]


@edit("rate shift of a pair that nobody trades", "plain", 19)
def _(tree):
    tree["rate_shift"]["USD/GBP"] = 61

"""A checker of proposals in plain Python integers, written from ``docs/spec.md`` section 7 alone.

Slow and readable; it shares nothing with the laws or with the clearing but the few functions of
``convexfx_core.units``.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.units import (
    gross_rate,
    limit_rate,
    log_ratio,
    net_rate,
    partial_fill_shift,
    rate_shift,
)


@dataclass
class Report:
    """Violated laws as (law, index, text), residuals and tolerances of the price rule."""

    violations: list[tuple[int, int, str]] = field(default_factory=list)
    residual: list[int] = field(default_factory=list)
    tau: list[int] = field(default_factory=list)
    inventory: list[int] = field(default_factory=list)

    @property
    def laws(self) -> set[int]:
        """Numbers of the violated laws."""
        return {law for law, _, _ in self.violations}


class _Flows:
    def __init__(self, n: int) -> None:
        self.into, self.out, self.fills = [0] * n, [0] * n, [0] * n


class Oracle:
    """One check of one proposal."""

    def __init__(self, case: ClearingCase, proposal: Proposal) -> None:
        self.case, self.proposal, self.report = case, proposal, Report()
        self.n, self.p, self.r = case.params.n, case.params, case.reference
        self.rows = [
            (int(o["pay"]), int(o["receive"]), int(o["budget"]), int(o["min_fill"]))
            for o in case.orders
        ]
        self.worst = [self._worst(i, j) for i, j, _, _ in self.rows]
        self.rates = [self._rates(k) for k in range(len(self.rows))]
        self.paid = [int(t) for t in proposal.paid]
        ration = proposal.ration
        self.demanded = [int(t) for t in ration.demanded] if ration else list(self.paid)
        self.rejected = dict(
            zip(proposal.rejected.tolist(), proposal.reject_kinds.tolist(), strict=True)
        )

    def _rates(self, k: int) -> tuple[int, int, int, int]:
        i, j, _, _ = self.rows[k]
        shift = rate_shift(self.r.pbar[i], self.r.pbar[j])
        rate = gross_rate(self.proposal.prices[i], self.proposal.prices[j], shift)
        fee, order = self.p.fee_ppm[i][j], self.case.orders[k]
        if order["limit_kind"]:
            least = limit_rate(int(order["limit_m"]), int(order["limit_e"]), shift)
        else:
            least = self.worst[k]
        return shift, rate, net_rate(rate, fee), least

    def _worst(self, i: int, j: int) -> int:
        """The net rate at the worst prices inside the bands."""
        shift = rate_shift(self.r.pbar[i], self.r.pbar[j])
        return net_rate(gross_rate(self.r.plo[i], self.r.phi[j], shift), self.p.fee_ppm[i][j])

    def fail(self, law: int, index: int, text: str) -> None:
        self.report.violations.append((law, index, text))

    def run(self) -> Report:
        """All laws that concern the clearing alone: L1, L2, L4, L5, L7-L12, L17, L20."""
        for k in range(len(self.rows)):
            self.order(k)
        paid, demanded = self.flows(self.paid), self.flows(self.demanded)
        self.demand_flow = demanded
        self.slack = self.slacks()
        self.prices()
        self.price_rule(demanded)
        self.rejections(paid)
        if self.proposal.ration:
            self.ration(paid)
        self.bounds(paid)
        self.levels()
        return self.report

    def order(self, k: int) -> None:
        _, _, budget, least_fill = self.rows[k]
        shift, _, net, limit = self.rates[k]
        paid, demanded = self.paid[k], self.demanded[k]
        if not 0 <= paid <= demanded <= budget:
            self.fail(1, k, f"{paid} {demanded} {budget}")
        if max(paid, demanded) > 0 and net < limit:
            self.fail(2, k, f"{net} < {limit}")
        dust = (budget * net) >> shift == 0
        clear = limit <= self.worst[k] or net - limit > limit >> 38
        if demanded < budget and k not in self.rejected and not dust and clear:
            self.fail(4, k, f"demanded {demanded} of {budget}, rate {net}, limit {limit}")
        if 0 < paid < least_fill:
            self.fail(5, k, f"{paid} < {least_fill}")
        if k in self.rejected and paid:
            self.fail(11, k, "rejected but filled")
        if paid > 0 and (paid * net) >> shift == 0:
            self.fail(17, k, "received nothing")
        grain = 1 << partial_fill_shift(self.p.decimals[self.rows[k][0]])
        if 0 < demanded < budget and demanded % grain:
            self.fail(1, k, "not in whole grains")

    def flows(self, amounts: list[int]) -> _Flows:
        out = _Flows(self.n)
        for k, paid in enumerate(amounts):
            i, j, _, _ = self.rows[k]
            shift, rate, _, _ = self.rates[k]
            out.into[i] += paid
            out.out[j] += (paid * rate) >> shift
            out.fills[j] += paid > 0
        return out

    def prices(self) -> None:
        if self.proposal.prices[0] != 1 << 64:
            self.fail(7, 0, "numeraire")
        for i in range(self.n):
            price, v = self.proposal.prices[i], self.proposal.overflow[i]
            edge = price in (self.r.plo[i], self.r.phi[i])
            if not self.r.plo[i] <= price <= self.r.phi[i]:
                self.fail(7, i, "band")
            if not edge and price % (1 << max(0, price.bit_length() - 46)):
                self.fail(7, i, "grid")
            if (v < 0 and price != self.r.phi[i]) or (v > 0 and price != self.r.plo[i]):
                self.fail(8, i, f"overflow {v}")

    def price_rule(self, flow: _Flows) -> None:
        x, error = [], []
        for j in range(self.n):
            after = self.case.inventory[j] + flow.into[j] - flow.out[j]
            value = ((after - self.p.target[j]) * self.r.pbar[j]) >> 64
            x.append(value - self.proposal.overflow[j])
            error.append((flow.fills[j] + 1) * (self.r.pbar[j] + (1 << 64)))
        for k, demanded in enumerate(self.demanded):
            i, j, budget, _ = self.rows[k]
            if 0 < demanded < budget:
                grain = (1 << partial_fill_shift(self.p.decimals[i])) * self.r.pbar[i] * 17 // 16
                error[i] += grain
                error[j] += grain
        for i in range(self.n):
            row = self.p.risk[i]
            u_hat = -(sum(g * v for g, v in zip(row, x, strict=True)) >> 48)
            tau = (1 << 28) + (1 << 64) // self.r.pbar[i] + 1
            tau += sum(abs(g) * e for g, e in zip(row, error, strict=True)) >> 112
            off = log_ratio(self.proposal.prices[i], self.r.pbar[i]) - u_hat
            self.report.residual.append(off)
            self.report.tau.append(tau)
            if abs(off) > tau:
                self.fail(9, i, f"{off / 2**64:.3e} > {tau / 2**64:.3e}")

    def ration(self, paid: _Flows) -> None:
        omega = self.proposal.ration.omega
        for k in range(len(self.rows)):
            i, j, _, _ = self.rows[k]
            cut = self.cut(i, j, omega)
            wanted = (self.demanded[k] * ((1 << 40) - cut)) >> 40
            shift, _, net, _ = self.rates[k]
            wanted = wanted if (wanted * net) >> shift else 0
            if self.paid[k] != wanted:
                self.fail(10, k, f"paid {self.paid[k]}, ration gives {wanted}")
        for i in range(self.n):
            after = self.case.inventory[i] + paid.into[i] - paid.out[i]
            low = min(self.p.q_min[i], self.case.inventory[i])
            high = max(self.p.q_max[i], self.case.inventory[i])
            away = after - low if omega[i] > 0 else high - after
            if omega[i] and not 0 <= away <= self.slack[i]:
                self.fail(10, i, f"omega {omega[i]} but {away} from the bound")

    def slacks(self) -> list[int]:
        """Distance from a bound that rounding and one step of omega leave, base units."""
        flow = self.demand_flow
        moved = zip(flow.into, flow.out, strict=True)
        out = [1 + 2 * -(-(into + gone) // (1 << 40)) for into, gone in moved]
        for k, (i, j, _, _) in enumerate(self.rows):
            shift, rate, net, _ = self.rates[k]
            if self.demanded[k]:
                out[i] += -(-(1 << shift) // net) + 1
                out[j] += (rate >> shift) + 2
        return out

    def rejections(self, paid: _Flows) -> None:
        """L11: with its minimum on top, the order leaves its limit, or does not fit."""
        g = self.p.risk
        for k, kind in self.rejected.items():
            i, j, _, least = self.rows[k]
            shift, rate, net, limit = self.rates[k]
            if kind == 1:
                if limit <= self.worst[k]:
                    self.fail(11, k, "no move of the price inside its band would break its limit")
                kappa = g[i][i] + g[j][j] - 2 * g[i][j]
                move = (kappa * ((least * self.r.pbar[i]) >> 64)) >> 48
                move += self.report.tau[i] + self.report.tau[j]
                if ((net - limit) << 64) // net > move:
                    self.fail(11, k, "its minimum fits inside its limit")
                continue
            budget = self.rows[k][2]
            up, down = self.distance(paid, i, high=True), self.distance(paid, j, high=False)
            shares = []
            if least > up - self.slack[i]:
                served = paid.into[i] + max(0, up)
                shares.append(Fraction(budget * served, self.demand_flow.into[i] + budget))
            if (least * rate) >> shift > down - self.slack[j]:
                served, gross = paid.out[j] + max(0, down), (budget * rate) >> shift
                shares.append(Fraction(budget * served, self.demand_flow.out[j] + gross))
            omega = self.proposal.ration.omega if self.proposal.ration else (0,) * self.n
            kept = budget * ((1 << 40) - self.cut(i, j, omega)) >> 40
            if not shares or (kept >= 2 * least and min(shares) >= 2 * least):
                self.fail(11, k, "its minimum fits beside the fills, or into its share")

    def levels(self) -> None:
        """L20: every two orders at the price of a pair, one against the other."""
        groups: dict[tuple[int, int], set[tuple[int, int, int]]] = {}
        for k, (i, j, budget, _) in enumerate(self.rows):
            shift, _, net, limit = self.rates[k]
            near = self.worst[k] < limit <= net and net - limit <= limit >> 38
            if near and k not in self.rejected and (budget * net) >> shift:
                groups.setdefault((i, j), set()).add((limit, self.demanded[k], budget))
        for (i, j), orders in groups.items():
            shift = rate_shift(self.r.pbar[i], self.r.pbar[j])
            net = self.rates[next(k for k, r in enumerate(self.rows) if r[:2] == (i, j))][2]
            step = max(1 << partial_fill_shift(self.p.decimals[i]), -(-(1 << shift) // net))
            for limit, want, budget in orders:
                for other, least, whole in orders:
                    if other < limit and want and least < whole:
                        self.fail(20, i * self.n + j, f"{limit} before {other}")
                    apart = Fraction(want - 2 * step, budget) - Fraction(least + 2 * step, whole)
                    if other == limit and want and least < whole and apart > 0:
                        self.fail(20, i * self.n + j, f"{want}/{budget} and {least}/{whole}")

    def distance(self, paid: _Flows, i: int, *, high: bool) -> int:
        held = self.case.inventory[i]
        after = held + paid.into[i] - paid.out[i]
        bound = max(self.p.q_max[i], held) if high else min(self.p.q_min[i], held)
        return bound - after if high else after - bound

    def cut(self, i: int, j: int, omega: "tuple[int, ...] | list[int]") -> int:
        prices, pbar = self.proposal.prices, self.r.pbar
        rho = ((prices[i] * pbar[j]) << 40) // (pbar[i] * prices[j])
        return min(max(((rho * omega[j]) >> 40) - omega[i], 0), 1 << 40)

    def bounds(self, paid: _Flows) -> None:
        for i in range(self.n):
            after = self.case.inventory[i] + paid.into[i] - paid.out[i]
            self.report.inventory.append(after)
            low = min(self.p.q_min[i], self.case.inventory[i])
            high = max(self.p.q_max[i], self.case.inventory[i])
            if not low <= after <= high:
                self.fail(12, i, f"{after} outside [{low}, {high}]")


def check(case: ClearingCase, proposal: Proposal) -> Report:
    """Report on a proposal."""
    return Oracle(case, proposal).run()

"""Prometheus metrics of the exchange, read from the chain: they go on where they were after a
restart."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from convexfx.api.chain_index.order_state import OPEN
from convexfx_core.errors import ConvexFxError
from tasks.ports import Inbox

STAGE_BUCKETS_S: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class InboxDepth(Collector):
    """Depth of the inbox, asked when somebody looks; absent where the queue does not answer."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def collect(self) -> Iterator[Metric]:
        """Samples ``visible`` and ``in_flight``, and whether the queue answered."""
        up = GaugeMetricFamily("convexfx_inbox_up", "Whether the inbox queue answers")
        messages = GaugeMetricFamily(
            "convexfx_inbox_messages",
            "Messages in the inbox queue, approximately",
            labels=["state"],
        )
        try:
            depth = self._inbox.depth()
        except ConvexFxError:
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
            messages.add_metric(["visible"], depth.visible)
            messages.add_metric(["in_flight"], depth.in_flight)
        yield up
        yield messages


class Metrics:
    """The metrics of one API process, in a registry of their own."""

    def __init__(self, inbox: Inbox) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(InboxDepth(inbox))
        self._epochs = Counter(
            "convexfx_epochs", "Epochs by outcome", ["outcome"], registry=self.registry
        )
        self._orders = Counter(
            "convexfx_orders", "Orders by final outcome", ["outcome"], registry=self.registry
        )
        self._stages = Histogram(
            "convexfx_stage_seconds", "Seconds of an epoch's stages", ["stage"],
            buckets=STAGE_BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        self._submitted = Counter(
            "convexfx_submissions", "Items of POST /verifiables by result: queued or a reject code",
            ["result"], registry=self.registry,
        )  # fmt: skip
        self._head = Gauge(
            "convexfx_epoch_head", "Last epoch with an outcome", registry=self.registry
        )

    def add_epoch(self, outcome: Mapping[str, Any], states: Mapping[str, int]) -> None:
        """Count an epoch, its orders that are over, and its stages."""
        self._epochs.labels(outcome["status"]).inc()
        self._head.set(outcome["epoch"])
        for state, count in states.items():
            if state not in OPEN:
                self._orders.labels(state).inc(count)
        for stage, milliseconds in outcome.get("stages", {}).items():
            self._stages.labels(stage).observe(milliseconds / 1000)

    def add_submission(self, result: str) -> None:
        """Count one item of a submission."""
        self._submitted.labels(result).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

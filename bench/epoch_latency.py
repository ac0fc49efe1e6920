"""Times small epochs on a local stack, from the state Running to the outcome; one JSON line.

``python bench/epoch_latency.py [MODE [EPOCHS]]`` starts a stack of its own, as ``convexfx up``
does, in a temporary folder on free ports, in the mode named or else the default one. It runs ten
epochs of 13 orders one after the other. So small an epoch shows what an epoch costs apart from its
orders. Of each it prints:

``start_s``      from the request of the run to Running: worker, process start, imports
``outcome_s``    from Running to the moment that the outcome names as its own
``completed_s``  from Running to Completed: receipts, report and artifacts included
``cpu_s``        user and system time of the run's process, its start included
``stages_s``     what each stage says of its own work

The machine's load is printed beside them: on a busy machine the CPU times say more. Each epoch's
row goes to standard error as soon as it is there.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from convexfx.local.exchange import Exchange, Ports, local_exchange
from convexfx.local.localstack import use_local_aws
from convexfx.local.ports import free_ports
from convexfx.local.prefect_server import EPOCH_POOL, api_url
from convexfx.local.session import demo_traffic
from convexfx.local.supervisor import Stack
from convexfx.local.traffic import Traffic
from tasks.adapters.proof_modes import default_mode
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import context_from_settings
from tasks.chain import outcome_of, read_head
from tasks.context import Context

EPOCHS: Final = 10
POLL_S: Final = 0.2
RUN_S_MAX: Final = 300.0
BUSY_MAX: Final = 50
TICKS_S: Final = os.sysconf("SC_CLK_TCK")


class Bench:
    """A running stack, and the epochs that are measured on it.

    Parameters
    ----------
    worker : process id of the worker whose children run the epochs.
    """

    def __init__(self, exchange: Exchange, ctx: Context, worker: int) -> None:
        self.ctx = ctx
        self.worker = worker
        self.traffic: Traffic = demo_traffic(exchange, ctx)
        url = api_url(exchange.ports.prefect)
        self.api = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def epoch(self) -> dict[str, Any]:
        """Run one epoch and say what it took."""
        number = read_head(self.ctx.store).epoch + 1
        quotes = self.ctx.prices.at(datetime.now(UTC), number)
        orders = self.traffic.wave(self.ctx.inbox, quotes, number)
        cpu_s = children_cpu_s(self.worker)
        states = self._states(self._run())
        outcome = outcome_of(self.ctx.store, number) or {"status": "none"}
        if outcome["status"] != "settled":
            raise SystemExit(f"epoch {number}: {outcome}")
        running, settled = states["Running"], datetime.fromisoformat(outcome["settled_at"])
        row: dict[str, Any] = {
            "epoch": number,
            "orders": orders,
            "start_s": seconds(running - states["Scheduled"]),
            "outcome_s": seconds(settled - running),
            "completed_s": seconds(states["Completed"] - running),
            "cpu_s": round(children_cpu_s(self.worker) - cpu_s, 2),
            "stages_s": {name: spent / 1000 for name, spent in outcome["stages"].items()},
        }
        print(json.dumps(row), file=sys.stderr, flush=True)
        return row

    def _run(self) -> str:
        """The id of a run of the deployment that came to its end, its process included."""
        deployment = self._ask("GET", "/deployments/name/epoch/epoch")["id"]
        run = str(self._ask("POST", f"/deployments/{deployment}/create_flow_run", {})["id"])
        until(lambda: self._ask("GET", f"/flow_runs/{run}")["state_type"] == "COMPLETED")
        until(lambda: not children_of(self.worker))
        return run

    def _states(self, run: str) -> dict[str, datetime]:
        rows = self._ask("GET", f"/flow_run_states/?flow_run_id={run}")
        return {row["name"]: datetime.fromisoformat(row["timestamp"]) for row in rows}

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """The server's answer; one whose database is busy (503) is asked again."""
        for _ in range(BUSY_MAX):
            answer = self.api.request(method, path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(POLL_S)
        return answer.raise_for_status().json()


def until(condition: Callable[[], bool]) -> None:
    """Wait for the condition; the bench ends if it does not come."""
    end = time.monotonic() + RUN_S_MAX
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"no end of the run within {RUN_S_MAX:.0f} s")
        time.sleep(POLL_S)


def children_of(pid: int) -> list[str]:
    """Process ids of the living children."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def children_cpu_s(pid: int) -> float:
    """User and system seconds of the children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / TICKS_S


def seconds(span: Any) -> float:
    """A time span in seconds, to the millisecond."""
    return round(span.total_seconds(), 3)


def measure(exchange: Exchange, epochs: int) -> dict[str, Any]:
    """Start the stack, run the epochs, stop it; what to print."""
    with Stack(exchange.parts(), exchange.folder) as stack:
        use_local_aws(exchange.aws()["AWS_ENDPOINT_URL"])
        ctx = context_from_settings(exchange.settings)
        bench = Bench(exchange, ctx, stack.children[f"worker-{EPOCH_POOL}"].pid)
        load = os.getloadavg()[0]
        rows = [bench.epoch() for _ in range(epochs)]
    spans = ("start_s", "outcome_s", "completed_s", "cpu_s")
    return {
        "bench": "epoch_latency",
        "mode": exchange.settings.proof_mode,
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "median": {name: round(median(row[name] for row in rows), 3) for name in spans},
        "median_stages_s": {
            name: round(median(row["stages_s"][name] for row in rows), 3)
            for name in rows[0]["stages_s"]
        },
        "epochs": rows,
    }


def main(arguments: list[str]) -> None:
    """Mode and number of epochs from the command line; the environment is that of ``make run``."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    settings = Settings()
    mode = arguments[0] if arguments else default_mode(settings)[0]
    epochs = int(arguments[1]) if len(arguments) > 1 else EPOCHS
    with tempfile.TemporaryDirectory(prefix="convexfx-bench-") as folder:
        settings = settings.changed(proof_mode=mode)
        exchange = local_exchange(Path(folder), Ports(), settings, scheduled=False, free=free_ports)
        print(json.dumps(measure(exchange, epochs)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Ends the runs that a start finds in Prefect's database, and gives their slots back.

A stack that is stopped, or dies, in the middle of a run leaves the run `Running`: its process is
gone, and nobody was left to say so. The run would keep the only slot of its deployment, and every
later run would be cancelled. So the stack does this after its server answers and before its workers
start. What an earlier stack in this folder started has been ended by then, so no run of the pools
that this stack serves has a process; a pool that it does not serve is left alone.

The next run finishes the epoch that such a run was at.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx

from convexfx_core.errors import PeerUnreachable

LOST: Final = {"RUNNING": "CRASHED", "PENDING": "CRASHED", "CANCELLING": "CANCELLED"}
"""States that only a living process leaves, and what a run in one of them becomes."""
MESSAGE: Final = "The stack was stopped while it ran; the next run finishes its epoch."
PAGE: Final = 200
PAGES_MAX: Final = 50
READ_S: Final = 30.0


def end_lost_runs(api_url: str, pools: Sequence[str]) -> int:
    """End every run of ``pools`` that waits for a process, and free the slots of deployments.

    Parameters
    ----------
    api_url : of a Prefect server whose workers of these pools do not run.

    Returns
    -------
    Number of runs that were ended.

    Raises
    ------
    PeerUnreachable
        The server does not answer as it should.
    """
    try:
        with httpx.Client(base_url=api_url, timeout=READ_S, trust_env=False) as client:
            ended = sum(_end(client, run) for run in list(_lost(client, pools)))
            _free_slots(client, pools)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        seen = f"{type(error).__name__}: {error}"
        raise PeerUnreachable("Prefect", "runs of an earlier start to be ended", seen) from None
    return ended


def _lost(client: httpx.Client, pools: Sequence[str]) -> Iterator[dict[str, Any]]:
    wanted: dict[str, Any] = {
        "flow_runs": {"state": {"type": {"any_": list(LOST)}}},
        "work_pools": {"name": {"any_": list(pools)}},
        "sort": "ID_DESC",
        "limit": PAGE,
    }
    for page in range(PAGES_MAX):
        answer = client.post("/flow_runs/filter", json={**wanted, "offset": page * PAGE})
        runs = answer.raise_for_status().json()
        yield from runs
        if len(runs) < PAGE:
            return


def _end(client: httpx.Client, run: dict[str, Any]) -> bool:
    """Propose the end of a run; not forced, so the server's own rules free its slot."""
    kind = LOST[run["state"]["type"]]
    state = {"type": kind, "name": kind.capitalize(), "message": MESSAGE}
    answer = client.post(f"/flow_runs/{run['id']}/set_state", json={"state": state})
    return bool(answer.raise_for_status().json()["status"] == "ACCEPT")


def _free_slots(client: httpx.Client, pools: Sequence[str]) -> None:
    """No run has a process, so no slot is in use, whatever a server that died had counted."""
    wanted = {"work_pools": {"name": {"any_": list(pools)}}}
    answer = client.post("/deployments/filter", json=wanted)
    for deployment in answer.raise_for_status().json():
        limit = deployment.get("global_concurrency_limit")
        if limit and limit["active_slots"]:
            path = f"/v2/concurrency_limits/{limit['id']}"
            client.patch(path, json={"active_slots": 0}).raise_for_status()

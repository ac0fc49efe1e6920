"""What the Prefect server does by itself: it ends runs whose process and worker are both gone.

A worker turns a run `Crashed` as soon as the run's process dies. If the worker dies with it, nobody
does: the run would stay `Running` for ever and keep the only slot of its deployment, so that no
epoch would run any more. A living run sends heartbeats, so the server knows a dead one by its
silence and turns it `Crashed`. The next run then finishes the epoch.

The trigger also fires for runs that ended long ago. The server holds back the states of a scheduled
run until the event of its first state comes, which it never sends for such a run; so they may reach
the trigger a quarter of an hour late. That is why the state is not forced: the server's own rules
let no run that has ended become `Crashed`.
"""

from datetime import timedelta
from typing import Final

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

SILENT_RUNS: Final = "convexfx: end runs without a heartbeat"
SILENCE_S: Final = 90
"""Silence that counts as death: three heartbeats of ``convexfx.local.prefect_server``."""
RUNNING: Final = "prefect.flow-run.Running"
HEARTBEAT: Final = "prefect.flow-run.heartbeat"
ENDED: Final = ("Completed", "Failed", "Crashed", "Cancelled", "Cancelling", "Paused", "Scheduled")


def silent_runs(silence_s: int = SILENCE_S) -> Automation:
    """An automation that turns a run `Crashed` when nothing follows its start or a heartbeat.

    Parameters
    ----------
    silence_s : seconds from either within which another one, or the run's end, has to come.
    """
    return Automation(
        name=SILENT_RUNS,
        description="The epoch is finished by the next run; the operator sees why this one ended.",
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            after={RUNNING, HEARTBEAT},
            expect={HEARTBEAT, *(f"prefect.flow-run.{state}" for state in ENDED)},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silence_s),
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                force=False,
                message=f"No heartbeat for {silence_s} s: its process and its worker are gone.",
            )
        ],
    )


def automate(silence_s: int = SILENCE_S) -> None:
    """Create the automations on the server in use, in place of those of the same name."""
    wanted = silent_runs(silence_s)
    try:
        existing = Automation.read(name=wanted.name)
    except ValueError:
        wanted.create()
        return
    assert isinstance(existing, Automation)
    wanted.id = existing.id
    wanted.update()

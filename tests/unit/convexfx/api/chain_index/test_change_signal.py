"""Long polls are woken by whoever changes the index, from any thread, and missed by nobody."""

import asyncio
import threading
import time

from convexfx.api.chain_index.change_signal import Pulse


def test_everybody_who_waits_is_woken_by_another_thread() -> None:
    async def run() -> float:
        pulse = Pulse()
        pulse.attach()
        waits = [pulse.wait(pulse.next_change(), 30) for _ in range(100)]
        begun = time.monotonic()
        threading.Thread(target=pulse.announce).start()
        await asyncio.gather(*waits)
        return time.monotonic() - begun

    assert asyncio.run(run()) < 10


def test_a_change_between_looking_and_waiting_is_not_missed() -> None:
    async def run() -> None:
        pulse = Pulse()
        pulse.attach()
        change = pulse.next_change()
        pulse.announce()
        await asyncio.sleep(0)
        await asyncio.wait_for(pulse.wait(change, 30), 10)
        assert pulse.next_change() is not change

    asyncio.run(run())


def test_a_wait_ends_after_its_time() -> None:
    async def run() -> None:
        pulse = Pulse()
        pulse.attach()
        change = pulse.next_change()
        await pulse.wait(change, 0.01)
        assert not change.is_set()

    asyncio.run(run())


def test_announcing_before_and_behind_the_loop_harms_nobody() -> None:
    pulse = Pulse()
    pulse.announce()

    async def run() -> None:
        pulse.attach()

    asyncio.run(run())
    pulse.announce()
    pulse.close()
    assert pulse.closed


def test_closing_wakes_for_the_last_time() -> None:
    async def run() -> None:
        pulse = Pulse()
        pulse.attach()
        change = pulse.next_change()
        assert not pulse.closed
        pulse.close()
        await asyncio.wait_for(pulse.wait(change, 30), 10)
        assert pulse.closed

    asyncio.run(run())

"""Long polls are woken by whoever changes the index, from any thread, and missed by nobody."""

import asyncio
import threading
import time

from convexfx.api.chain_index.change_signal import ChangeSignal


def test_everybody_who_waits_is_woken_by_another_thread() -> None:
    async def run() -> float:
        change_signal = ChangeSignal()
        change_signal.attach()
        waits = [change_signal.wait(change_signal.next_change(), 30) for _ in range(100)]
        begun = time.monotonic()
        threading.Thread(target=change_signal.announce).start()
        await asyncio.gather(*waits)
        return time.monotonic() - begun

    assert asyncio.run(run()) < 10


def test_a_change_between_looking_and_waiting_is_not_missed() -> None:
    async def run() -> None:
        change_signal = ChangeSignal()
        change_signal.attach()
        change = change_signal.next_change()
        change_signal.announce()
        await asyncio.sleep(0)
        await asyncio.wait_for(change_signal.wait(change, 30), 10)
        assert change_signal.next_change() is not change

    asyncio.run(run())


def test_a_wait_ends_after_its_time() -> None:
    async def run() -> None:
        change_signal = ChangeSignal()
        change_signal.attach()
        change = change_signal.next_change()
        await change_signal.wait(change, 0.01)
        assert not change.is_set()

    asyncio.run(run())


def test_announcing_before_and_behind_the_loop_harms_nobody() -> None:
    change_signal = ChangeSignal()
    change_signal.announce()

    async def run() -> None:
        change_signal.attach()

    asyncio.run(run())
    change_signal.announce()
    change_signal.close()
    assert change_signal.closed


def test_closing_wakes_for_the_last_time() -> None:
    async def run() -> None:
        change_signal = ChangeSignal()
        change_signal.attach()
        change = change_signal.next_change()
        assert not change_signal.closed
        change_signal.close()
        await asyncio.wait_for(change_signal.wait(change, 30), 10)
        assert change_signal.closed

    asyncio.run(run())

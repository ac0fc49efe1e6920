"""Signals while a stack runs and while it stops."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from convexfx.local.interrupts import SIGNALS, Interrupts


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    own = Interrupts()
    own.install()
    yield own
    own.restore()


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_interrupts(interrupts: Interrupts, number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt, match=number.name):
        os.kill(os.getpid(), number)
    assert not interrupts.hurry


def test_the_second_signal_only_hurries(interrupts: Interrupts) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    assert interrupts.hurry


def test_a_shield_lets_nothing_through(interrupts: Interrupts) -> None:
    interrupts.shield()
    assert not interrupts.hurry
    os.kill(os.getpid(), signal.SIGINT)
    assert interrupts.hurry


def test_handlers_are_given_back() -> None:
    before = handlers()
    own = Interrupts()
    own.install()
    own.install()
    assert handlers() != before
    own.restore()
    own.restore()
    assert handlers() == before


def test_another_thread_changes_nothing() -> None:
    before = handlers()
    thread = threading.Thread(target=Interrupts().install)
    thread.start()
    thread.join()
    assert handlers() == before


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    own = Interrupts()
    try:
        own.install()
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        own.restore()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)

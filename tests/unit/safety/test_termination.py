"""A signal ends work in order, also where Python forgets the exception that it raised."""

import os
import signal

import pytest

from ptacl_core.safety.processes.termination import signals_interrupt


class _PressedInFinalizer:
    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)
        sum(range(1000))  # the handler runs here, and Python forgets what it raises


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_a_finalizer_loses_is_raised_at_the_next_check(number):
    with signals_interrupt() as interrupts:
        interrupts.check()
        _PressedInFinalizer(number)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_at_once_and_the_handlers_return(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        os.kill(os.getpid(), number)
        sum(range(1000))
    assert signal.getsignal(number) is before


def test_an_ignored_interrupt_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals_interrupt() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            interrupts.check()
    finally:
        signal.signal(signal.SIGINT, before)

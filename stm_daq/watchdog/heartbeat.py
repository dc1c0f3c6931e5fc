"""The run's side of the watchdog: a clock that shows that the run is alive, and a pipe that says so."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stm_daq.clock import RealClock
from stm_daq.errors import InstrumentError

REPORT = "watchdog.json"
"""What the watchdog did, in the run's folder."""
BEAT = 0.2
"""Seconds between two beats."""
SLICE = 0.5
"""Longest time that a sleep goes by without a sign of life, s."""
STUCK = 60.0
"""Without any use of the clock for so long (s) the run counts as hung: no instrument call may last
as long."""
START = 60.0
"""The watchdog has to be ready within, s."""


class BeatingClock(RealClock):
    """The operating system's clock, which remembers when it was last used."""

    def __init__(self) -> None:
        self._used = super().now()

    def now(self) -> float:
        """Return monotonic seconds."""
        self._used = super().now()
        return self._used

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, showing now and then that this is on purpose."""
        end = self.now() + seconds
        while (left := end - self.now()) > 0:
            super().sleep(min(left, SLICE))

    def idle(self) -> float:
        """Return for how long nobody has used the clock, s; does not count as use."""
        return super().now() - self._used


@dataclass(frozen=True, slots=True)
class SafetyState:
    """What the watchdog has to know about a run."""

    setpoint_bias: float
    """Under which the feedback may be closed, V."""
    withdrawn: bool
    """Whether the tip was withdrawn on purpose."""
    needs_help: bool
    """Whether the run has tried to park and could not."""
    setpoint_current: float | None = None
    """To be set before that, A; None: it stays as it is."""


class Heartbeat:
    """Sends beats to the watchdog while the run is alive.

    Parameters
    ----------
    process : subprocess.Popen
        The watchdog.
    clock : BeatingClock
        Of the run.
    """

    def __init__(self, process: subprocess.Popen[str], clock: BeatingClock) -> None:
        self._process = process
        self._clock = clock
        self._end = threading.Event()
        self._state: Callable[[], SafetyState] | None = None
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self, state: Callable[[], SafetyState]) -> None:
        """Begin to beat, telling with every beat what `state` returns."""
        self._state = state
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye, so that the watchdog ends and does nothing; or leave it without, for its help."""
        self._end.set()
        if self._state is None:
            self._send({"bye": True})
            return
        self._thread.join()
        if not self._state().needs_help:
            self._send({"bye": True})

    def _beat(self) -> None:
        assert self._state is not None
        while not self._end.is_set():
            state = self._state()
            alive = {
                "setpoint_bias": state.setpoint_bias,
                "setpoint_current": state.setpoint_current,
                "withdrawn": state.withdrawn,
            }
            if self._clock.idle() < STUCK and not self._send(alive):
                return
            self._end.wait(BEAT)

    def _send(self, message: Mapping[str, object]) -> bool:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()
        except (OSError, ValueError):
            return False  # the watchdog is gone; `watched` tells
        return True


@contextmanager
def watched(
    station: Path, folder: Path, clock: BeatingClock, took_over: Callable[[str], None]
) -> Iterator[Heartbeat]:
    """Let a watchdog process look after the station inside the block.

    Parameters
    ----------
    station : Path
        station.yaml; the watchdog opens its own connections.
    folder : Path
        Of the run; the watchdog writes there what it did.
    clock : BeatingClock
        Of the run.
    took_over : callable
        Called with a sentence if the watchdog acted, or died, although the run is alive.

    Raises
    ------
    InstrumentError
        If the watchdog cannot reach the instruments.
    """
    line = [sys.executable, "-m", "stm_daq.watchdog", str(station), str(folder)]
    process = subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    heartbeat = Heartbeat(process, clock)
    try:
        _await_ready(process)
        listener = threading.Thread(
            target=_listen, args=(process.stdout, took_over), name="watchdog", daemon=True
        )
        listener.start()
        yield heartbeat
    finally:
        heartbeat.stop()
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    timer = threading.Timer(START, process.kill)
    timer.start()
    try:
        first = process.stdout.readline()
    finally:
        timer.cancel()
    if json.loads(first or "{}").get("ready"):
        return
    said = json.loads(first or "{}").get("error", "it did not answer")
    raise InstrumentError(
        f"the watchdog cannot look after the station: {said}; see docs/safety.md, "
        "or start the run with --no-watchdog"
    )


def _listen(pipe: IO[str], took_over: Callable[[str], None]) -> None:
    """Tell the run what the watchdog says while the run is alive: always bad news."""
    for line in pipe:
        message = json.loads(line)
        if message.get("acted"):
            took_over(f"the watchdog took over: {message['acted']}")
            return

"""Spool and couriers together: what is posted is sent, at once or later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from stm_daq.alert_settings import AlertSettings
from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.alerts.courier import Courier
from stm_daq.monitor.alerts.letter import Letter
from stm_daq.monitor.alerts.sinks import make_sinks
from stm_daq.monitor.alerts.spool import NAME, Spool, Waiting, read_unsent

PATIENCE = 10.0
"""At the end, for the last alerts, s; what is not sent then stays in the spool."""

log = logging.getLogger(__name__)


class PostOffice:
    """Spool and couriers of one run or hub.

    Parameters
    ----------
    settings : AlertSettings
    path : Path or None
        Of the spool; None keeps it in memory.
    told : callable
        See :class:`~stm_daq.monitor.alerts.courier.Courier`.

    Raises
    ------
    BadInputError
        If the file is no spool.
    """

    def __init__(
        self,
        settings: AlertSettings,
        path: Path | None,
        told: Callable[[Waiting, str], None] = lambda waiting, problem: None,
    ) -> None:
        if path is not None:
            with suppress(OSError):  # the spool says so itself, and goes on in memory
                path.parent.mkdir(parents=True, exist_ok=True)
        self.spool = Spool(path)
        self._sinks = make_sinks(settings)
        self._couriers = [Courier(n, sink, self.spool, told) for n, sink in self._sinks.items()]
        self._lock = None if path is None else FileLock(f"{path}.lock", timeout=0)
        if self._lock is not None:
            try:
                self._lock.acquire()
            except Timeout:
                log.warning("%s: another process sends these alerts", path)
                self._couriers = []  # they would be sent twice
            except OSError as error:
                log.warning("%s.lock: %s", path, error)
        self.spool.hurry()
        for courier in self._couriers:
            courier.start()

    def post(self, letter: Letter, to: Sequence[str] | None) -> Letter:
        """Take a letter for these sinks (None: all)."""
        letter = self.spool.add(letter, [name for name in to or self._sinks if name in self._sinks])
        for courier in self._couriers:
            courier.wake()
        return letter

    def close(self, patience: float = PATIENCE) -> list[Waiting]:
        """Send what is due, for at most `patience` s; return what could not be sent."""
        clock = RealClock()
        end = clock.now() + patience
        for courier in self._couriers:
            courier.finish(max(0.0, end - clock.now()))
        left = self.spool.unsent()
        if self._lock is not None:
            self._lock.release()
        return left


def send_unsent(settings: AlertSettings, path: Path) -> list[Waiting]:
    """Send what a spool still holds; return what could not be sent.

    Parameters
    ----------
    settings : AlertSettings
        With the sinks.
    path : Path
        A spool, or the folder of a run.

    Raises
    ------
    BadInputError
        If there is no spool, or a run or another command is sending its alerts.
    """
    read_unsent(path)
    path = path / NAME if path.is_dir() else path
    spool = Spool(path)
    try:
        with FileLock(f"{path}.lock", timeout=0):
            spool.hurry()
            for name, sink in make_sinks(settings).items():
                Courier(name, sink, spool).deliver_due()
        return spool.unsent()
    except Timeout:
        raise BadInputError(
            f"{path}: somebody is sending these alerts, a run that goes on for example"
        ) from None
    finally:
        spool.close()

"""Every record to the journal first, then to those who watch; what is derived from a spectrum."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stm_daq.clock import Clock
from stm_daq.disk_space import DiskSpace
from stm_daq.errors import BadInputError, DiskFullError
from stm_daq.records import Event, Fit, Record, RunStarted, Spectrum, Truth, TwinState
from stm_daq.rehearsal import TwinLike
from stm_daq.store.journal import Journal

if TYPE_CHECKING:
    from stm_daq.fitting import OnlineFitter

type Observer = Callable[[Record], Sequence[Event] | None]
"""Is told every record that was stored; may return events of its own, which are stored as well."""
type Derive = Callable[[Spectrum], Record]
"""Makes a further record of a spectrum, such as its fit."""

log = logging.getLogger(__name__)


class Recording:
    """Passes every record to the journal first, then to the observers, which cannot hurt the run.

    What is attached to a spectrum (the twin's truth) is stored with it in one transaction; what is
    derived from it (its fit) follows at once, before the next site starts. Records made before the
    journal exists are kept and passed on later.

    While the disk is full nothing goes on: whoever emits a record waits, and records are emitted with
    the feedback closed only.

    Parameters
    ----------
    clock : Clock
    disk : DiskSpace, optional
        Without it a full disk is an error.
    """

    def __init__(self, clock: Clock, disk: DiskSpace | None = None) -> None:
        self._clock = clock
        self._disk = disk
        self._early: list[Record] = []
        self._journal: Journal | None = None
        self._attach: list[Derive] = []
        self._derive: list[Derive] = []
        self._observers: list[Observer] = []
        self._latest_fit: Fit | None = None

    def latest_fit(self) -> Fit | None:
        """Return the fit of the spectrum that was emitted last, None if there is none."""
        return self._latest_fit

    def connect(
        self,
        journal: Journal,
        started: RunStarted,
        attach: Sequence[Derive],
        derive: Sequence[Derive],
        observers: Sequence[Observer],
    ) -> None:
        """Begin to pass records on; `started` is in the journal already."""
        self._journal = journal
        self._attach = list(attach)
        self._derive = list(derive)
        self._observers = list(observers)
        self._tell(started)
        for record in self._early:
            self.emit(record)

    def emit(self, record: Record) -> None:
        """Store a record, tell the observers, and do the same with what is derived from it.

        Raises
        ------
        JournalError
            If it could not be stored; nothing else gets out. If the disk is full, only after
            somebody has asked the run to stop.
        """
        if self._journal is None:
            self._early.append(record)
            return
        if not isinstance(record, Spectrum):
            self._store(record)
            self._tell(record)
            return
        attached = list(self._made_of(record, self._attach))
        self._store(record, *attached)
        for stored in (record, *attached):
            self._tell(stored)
        self.derive(record)
        if self._disk is not None and self._disk.low:
            self._wait(self._disk, "little space is left on the disk", lambda: not self._low())

    def derive(self, spectrum: Spectrum) -> None:
        """Store what follows from a spectrum that is stored already."""
        derived = list(self._made_of(spectrum, self._derive))
        self._latest_fit = next((other for other in derived if isinstance(other, Fit)), None)
        self._store(*derived, durable=False)
        for other in derived:
            self._tell(other)

    def _store(self, *records: Record, durable: bool = True) -> None:
        """Write to the journal; wait while the disk is full."""
        assert self._journal is not None
        try:
            self._journal.write(*records, durable=durable)
        except DiskFullError as error:
            if self._disk is None or not self._wait(
                self._disk, str(error), lambda: self._stored(records)
            ):
                raise

    def _stored(self, records: Sequence[Record]) -> bool:
        assert self._journal is not None
        try:
            self._journal.write(*records)
        except DiskFullError:
            return False
        return True

    def _low(self) -> bool:
        return self._disk is not None and self._disk.low

    def _wait(self, disk: DiskSpace, why: str, enough: Callable[[], bool]) -> bool:
        """Wait for space; tell the observers at once, the journal when it can be written again."""
        began = self._clock.wall()
        full = Event(began, "disk_full", f"paused with the feedback closed: {why}")
        log.warning(full.text)
        self._tell(full)
        if not disk.wait_until(enough):
            return False
        free = Event(self._clock.wall(), "disk_free", "there is space on the disk again")
        self._store(full, free)
        self._tell(free)
        return True

    def _made_of(self, spectrum: Spectrum, makers: list[Derive]) -> Iterator[Record]:
        for maker in list(makers):
            try:
                yield maker(spectrum)
            except Exception as error:
                log.exception("%s failed and was disconnected", maker)
                makers.remove(maker)
                yield self._disconnected(maker, error)

    def _tell(self, record: Record) -> None:
        if isinstance(record, TwinState):
            return  # nobody's business but the twin's
        news: list[Event] = []
        for observer in list(self._observers):
            try:
                news.extend(observer(record) or ())
            except Exception as error:
                log.exception("%s failed and was disconnected", observer)
                self._observers.remove(observer)
                news.append(self._disconnected(observer, error))
        for event in news:
            self.emit(event)

    def _disconnected(self, what: object, error: Exception) -> Event:
        text = f"{what} failed and was disconnected: {error or repr(error)}"
        return Event(self._clock.wall(), "warning", text)


@dataclass(frozen=True)
class OnlineFit:
    """Fits every spectrum before the next one starts."""

    fitter: OnlineFitter
    model: str

    def __str__(self) -> str:
        return "the online fit"

    def __call__(self, spectrum: Spectrum) -> Fit:
        try:
            result = self.fitter.fit(spectrum.conductance)
        except Exception:
            log.exception("site %d: the fit failed", spectrum.site.index)
            return self._failed(spectrum)
        return Fit(
            site_index=spectrum.site.index,
            attempt=spectrum.attempt,
            model=self.model,
            values=result.values,
            std=result.std,
            reduced_chi_square=result.reduced_chi_square,
            ok=result.ok and not spectrum.flags,
            flags=spectrum.flags + result.flags,
        )

    def _failed(self, spectrum: Spectrum) -> Fit:
        """One spectrum that breaks the fit must not cost those after it theirs."""
        return Fit(
            site_index=spectrum.site.index,
            attempt=spectrum.attempt,
            model=self.model,
            values={},
            std={},
            reduced_chi_square=math.nan,
            ok=False,
            flags=(*spectrum.flags, "fit_error"),
        )


class ChangeableFit:
    """Fits with one model until somebody asks for another.

    Parameters
    ----------
    make : callable
        Makes the fit with a model, ready to be used.
    model : str
    """

    def __init__(self, make: Callable[[str], OnlineFit], model: str) -> None:
        self._make = make
        self._fit = make(model)

    def __str__(self) -> str:
        return str(self._fit)

    def __call__(self, spectrum: Spectrum) -> Fit:
        return self._fit(spectrum)

    def change(self, model: str) -> None:
        """Fit with another model from the next spectrum on; may be called from another thread.

        Raises
        ------
        BadInputError
            If there is no such model, or it cannot fit these spectra.
        """
        from stm_daq.fitting import MODELS

        if model not in MODELS:
            raise BadInputError(f"there is no model '{model}' (known: {', '.join(MODELS)})")
        try:
            self._fit = self._make(model)  # made here, so that no spectrum waits for it
        except ValueError as error:
            raise BadInputError(f"{model} cannot fit these spectra: {error}") from None


@dataclass(frozen=True)
class RecordTruth:
    """Writes down what the twin's world really was, beside what was measured."""

    twin: TwinLike

    def __str__(self) -> str:
        return "the twin's record of truth"

    def __call__(self, spectrum: Spectrum) -> Truth:
        return Truth(spectrum.site.index, spectrum.attempt, dict(self.twin.truth()))


@dataclass(frozen=True)
class RecordTwin:
    """Keeps where the twin's world stands, so that a killed rehearsal can go on."""

    twin: TwinLike

    def __str__(self) -> str:
        return "the twin's state"

    def __call__(self, spectrum: Spectrum) -> TwinState:
        return twin_state(self.twin)


def twin_state(twin: TwinLike) -> TwinState:
    """Return where the twin's world stands now."""
    return TwinState(twin.clock.wall(), twin.state())

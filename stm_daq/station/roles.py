"""What the sequencer needs from an instrument, whoever made it.

A role is a small protocol. An adapter in ``drivers/`` fulfils one for one instrument; station.yaml
says which adapter plays which role. All values are SI at the *junction*: an adapter knows about
dividers, gains and scan-unit calibrations, the sequencer does not.

Every method returns within its deadline or raises a subclass of
:class:`stm_daq.errors.InstrumentError`. Values outside the limits raise
:class:`stm_daq.errors.OutOfRangeError` before anything is sent.

An adapter may say beforehand what it could not do, so that ``stm-daq check`` can tell the user where
it is written. For this its class offers a static method that touches nothing::

    def check(options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None) -> Iterator[Finding]

`options` are those in station.yaml that are of the right kind; any may be absent, also a needed one;
`needs` is None if there is no plan that could be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from stm_daq.records import Array, Frame
from stm_daq.station.controller_sweep import ControllerSpectroscopy
from stm_daq.station.limits import Limits
from stm_daq.station.needs import Finding as Finding
from stm_daq.station.needs import PlanNeeds as PlanNeeds
from stm_daq.station.needs import refusal as refusal
from stm_daq.station.transport import TransportMeter as TransportMeter


def never() -> bool:
    """Nobody wants to stop."""
    return False


@dataclass(frozen=True, slots=True)
class BufferedTrace:
    """What the lock-in recorded during one sweep."""

    in_phase: Array
    """In-phase output X referred to the lock-in's input, V rms, shape (n,)."""
    auxiliary: Array
    """Auxiliary input (the preamplifier's dc output), V, shape (n,).

    NaN where the instrument cannot record it together with X. Then at least the last value was
    measured, right after the sweep, while the source still held its last voltage.
    """
    flags: tuple[str, ...]
    """Any of "overload", "unlock", "range_changed" that happened since the buffer was started."""


@dataclass(frozen=True, slots=True)
class TemperatureReading:
    """One reading of a thermometer."""

    kelvin: float
    """NaN if there is no trustworthy value."""
    fresh: bool
    """False if the channel was not scanned lately, the reading is invalid, or is still settling."""
    time: float
    """Wall time of the reading."""


@dataclass(frozen=True, slots=True)
class DriftCompensation:
    """What the controller does against the drift of the sample."""

    on: bool
    velocity: tuple[float, float, float]
    """Of the piezos along x, y, z, m/s; what it would be, if `on` is false."""
    saturated: bool
    """Whether a piezo has come to the end of what compensation may use."""


class StmController(Protocol):
    """Moves the tip, holds the current by feedback, scans the topograph.

    What a controller can sweep by itself: :mod:`stm_daq.station.controller_sweep`.
    """

    def position(self) -> tuple[float, float]:
        """Return the tip position (x, y), m."""
        ...

    def move_to(self, x: float, y: float) -> None:
        """Move the tip to (x, y), m, and return when it has arrived.

        Raises
        ------
        FeedbackError
            If this adapter did not see the feedback on since it was last held.
        """
        ...

    def feedback_on(self) -> bool:
        """Read from the instrument whether the feedback loop is closed."""
        ...

    def hold(self) -> None:
        """Open the feedback loop and return when the instrument confirms it."""
        ...

    def release(self) -> None:
        """Close the feedback loop and return when the instrument confirms it."""
        ...

    def height_and_current(self) -> tuple[float, float]:
        """Return tip height z, m, and tunnelling current, A, from fresh samples."""
        ...

    def set_setpoint(self, current: float) -> None:
        """Set the feedback's current set-point, A."""
        ...

    def setpoint(self) -> float:
        """Read the feedback's current set-point, A."""
        ...

    def prepare_scan(self, frame: Frame, columns: int, rows: int, line_time: float) -> None:
        """Set frame, pixels and seconds per line (each way); the scan goes from the bottom up."""
        ...

    def scan_rows(self, count: int, stop: Callable[[], bool] = never) -> bool:
        """Start or continue the scan, return when `count` more rows are recorded, then pause it.

        After every row `stop` is asked whether to end the scan instead.

        Returns
        -------
        bool
            Whether the rows were recorded.
        """
        ...

    def scan_data(self) -> Array:
        """Return z (m) of the frame, shape (rows, columns), row 0 at the bottom; NaN = not yet."""
        ...

    def stop_scan(self) -> None:
        """End the topograph, also in the middle of a row; the tip stays where it is, with feedback."""
        ...

    def z_range(self) -> tuple[float, float]:
        """Read between which heights, m, the tip may be: limits of station and controller."""
        ...

    def offset_z(self, distance: float) -> None:
        """Move the tip by `distance` (positive: away from the sample), m, and confirm it.

        Raises
        ------
        FeedbackError
            If the feedback is closed: it would move the tip back at once.
        OutOfRangeError
            If the tip would leave :meth:`z_range`; nothing is sent then.
        """
        ...

    def move_z_to(self, z: float) -> None:
        """Bring the tip to the height `z`, m, and confirm it; errors as :meth:`offset_z`."""
        ...

    def safe_tip_tripped(self) -> bool:
        """Read whether the controller has withdrawn the tip because the current grew too large."""
        ...

    def drift_compensation(self) -> DriftCompensation:
        """Read what the controller does against drift."""
        ...

    def set_drift_compensation(self, velocity: tuple[float, float, float]) -> None:
        """Move the piezos steadily along x, y, z (m/s) and confirm it; three zeros switch it off."""
        ...

    def withdraw(self) -> None:
        """Pull the tip back and leave it there."""
        ...


class BiasSource(Protocol):
    """Applies the bias to the junction. One that can also play a list is a :class:`ListSource`."""

    def voltage(self) -> float:
        """Read the bias that is really applied now, V at the junction."""
        ...

    def ramp_to(self, volts: float) -> None:
        """Change the bias obeying the slew limit; return when it is reached and read back."""
        ...


@runtime_checkable
class ListSource(BiasSource, Protocol):
    """A bias source that plays a hardware list of voltages and triggers the lock-in at each.

    Whether a source is one is asked with ``isinstance(bias, ListSource)``.
    """

    def prepare_list(self, volts: Array, dwell: float) -> None:
        """Load a hardware list of voltages (V at the junction), `dwell` seconds each.

        One trigger pulse is given at the end of every step, when the reading has settled. The list
        is checked against limits and slew as a whole. The output must already be at ``volts[0]``
        (within one step) when the list is started.
        """
        ...

    def trigger_delay(self, dwell: float) -> float:
        """Return how long after the beginning of a step its trigger pulse comes, s."""
        ...

    def start_list(self) -> None:
        """Start the loaded list once; return at once."""
        ...

    def abort_list(self) -> None:
        """Stop a running list where it is; the output keeps its value."""
        ...


class LockIn(Protocol):
    """Modulates the bias and measures the response, sample by sample, into its own buffer."""

    auxiliary_recorded: bool
    """Whether the buffer holds the auxiliary input at every point; see :class:`BufferedTrace`.

    If not, the sequencer integrates dI/dV from the one current that was measured.
    """

    def configure(
        self,
        frequency: float,
        modulation: float,
        time_constant: float,
        phase: float,
        sensitivity: float,
    ) -> float:
        """Set up the modulation and the demodulator.

        Parameters
        ----------
        frequency : float
            Hz.
        modulation : float
            Wanted peak amplitude at the junction, V.
        time_constant : float
            s; must be one that the instrument has.
        phase : float
            Degrees.
        sensitivity : float
            Full scale wanted, V rms at the lock-in's input; the next larger range is used.

        Returns
        -------
        float
            The peak amplitude at the junction that was really set, V (read back).
        """
        ...

    def prepare_buffer(self) -> None:
        """Set the buffer to one sample of X and the auxiliary input per trigger pulse."""
        ...

    def step_memory(self, delay: float, dwell: float) -> Array:
        """Return how much the steps of a staircase count in one sample.

        The low-pass filter has not quite forgotten earlier steps when a sample is taken.

        Parameters
        ----------
        delay : float
            From the beginning of a step to its trigger, s.
        dwell : float
            Duration of a step, s.

        Returns
        -------
        array of shape (m,)
            Weights of the present step, the one before it, and so on; their sum is 1.
        """
        ...

    def start_buffer(self) -> None:
        """Empty the buffer and arm it."""
        ...

    def read_buffer(self, points: int) -> BufferedTrace:
        """Read the first `points` samples; another call reads the same ones again.

        Raises
        ------
        InstrumentError
            If the buffer holds fewer samples, or a reply is damaged.
        """
        ...

    def stored_samples(self) -> int:
        """Read how many samples the buffer holds."""
        ...

    def read_point(self) -> BufferedTrace:
        """Read X and the auxiliary input as they are now: one sample, never NaN.

        The flags tell what happened since the buffer was started or the last point was read.
        """
        ...

    def modulation_off(self) -> None:
        """Reduce the modulation to the least that the instrument can give."""
        ...


class Preamplifier(Protocol):
    """Turns the tunnelling current into a voltage."""

    def gain(self) -> float:
        """Return the dc gain, V/A."""
        ...

    def response(self, frequency: float) -> complex:
        """Return the complex gain at `frequency`, V/A."""
        ...

    def bandwidth(self) -> float:
        """Return the frequency at which the gain is 3 dB down, Hz."""
        ...

    def full_scale(self) -> float:
        """Return the largest current that is not overloaded, A."""
        ...


class Thermometer(Protocol):
    """Reads the temperature that the sample has."""

    def read(self) -> TemperatureReading:
        """Return the newest reading; never an old value as fresh."""
        ...


class TemperatureControl(Protocol):
    """Regulates the temperature with a heater; off is safe.

    How to reach a temperature: :func:`stm_daq.station.temperature.settle`.
    """

    def setpoint(self) -> float:
        """Read the set-point, K."""
        ...

    def set_setpoint(self, kelvin: float) -> None:
        """Change the set-point and confirm it; the heater stays as it is.

        Raises
        ------
        OutOfRangeError
            If `kelvin` is outside ``limits: temperature``.
        """
        ...

    def heater_ranges(self) -> tuple[float, ...]:
        """Return the full-scale powers that may be chosen, ascending, W."""
        ...

    def heater_on(self, watts: float) -> None:
        """Regulate with the smallest range that can give `watts`, and confirm it.

        Raises
        ------
        OutOfRangeError
            If no allowed range can.
        """
        ...

    def heater_off(self) -> None:
        """Switch the heater off and confirm it."""
        ...

    def heater_is_on(self) -> bool:
        """Read whether the heater is regulated."""
        ...

    def heater_power(self) -> float:
        """Read the present power of the heater, W."""
        ...


class MicrowaveSource(Protocol):
    """Feeds microwaves to the tip; off in the safe state.

    The power never grows by more than one step at a time: the adapter puts steps between, and a
    source that is switched on begins at the lowest power.
    """

    def frequency(self) -> float:
        """Read the frequency, Hz."""
        ...

    def set_frequency(self, hertz: float) -> None:
        """Change the frequency and confirm it.

        Raises
        ------
        OutOfRangeError
            If the instrument has no such frequency.
        """
        ...

    def power(self) -> float:
        """Read the power that is set, dBm (also while the output is off)."""
        ...

    def set_power(self, dbm: float) -> None:
        """Change the power, upwards in steps, and confirm it.

        Raises
        ------
        OutOfRangeError
            If `dbm` is outside ``limits: microwave_power``; nothing was sent.
        """
        ...

    def limit_steps(self, decibels: float) -> None:
        """Let the power grow by at most `decibels` at a time, for a plan with small steps.

        Raises
        ------
        OutOfRangeError
            If that is not positive or more than the station allows.
        """
        ...

    def on(self) -> None:
        """Switch the output on at the lowest power of the station, and confirm it."""
        ...

    def off(self) -> None:
        """Switch the output off and confirm it."""
        ...

    def is_on(self) -> bool:
        """Read whether the output is on."""
        ...

    def range_edges(self) -> tuple[float, ...]:
        """Return the powers at which an attenuator of the source switches, dBm, if it has one."""
        ...

    def flags(self) -> tuple[str, ...]:
        """Read what makes the output suspect: any of "unlock", "unlevelled", "microwave_fault"."""
        ...


class StationRoles(Protocol):
    """All roles of a station."""

    stm: StmController
    bias: BiasSource
    lockin: LockIn
    preamplifier: Preamplifier
    thermometer: Thermometer | None
    temperature_control: TemperatureControl | None
    microwave: MicrowaveSource | None
    spectroscopy: ControllerSpectroscopy | None
    transport: TransportMeter | None
    limits: Limits

    def parameter(self, name: str) -> Any:
        """Return a QCoDeS parameter by its dotted name, such as "magnet.field".

        Raises
        ------
        InstrumentError
            If the station has none of this name.
        """
        ...

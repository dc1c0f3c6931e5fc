"""Smaller modules of the simulated controller: piezos, user outputs, utilities."""

from __future__ import annotations

from dataclasses import dataclass

from sim.devices.nanonis_files import SessionFolder
from sim.devices.nanonis_refusal import Values, require
from sim.devices.nanonis_scan_module import XY_RANGE
from sim.devices.nanonis_signals import Signals, require_signal
from sim.world import World

FASTEST_COMPENSATION = 1e-9
"""m/s."""
VOLTS = 10.0
"""Largest voltage at a piezo or user output."""
OUTPUTS = 8


class PiezoModule:
    """Commands ``Piezo.*``; see :mod:`sim.devices.nanonis_modules` for the convention."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._on = False
        self._velocity = (0.0, 0.0, 0.0)
        self._limit = 10.0
        self._tilt = (0.0, 0.0)

    def drift_comp_set(self, on: int, vx: float, vy: float, vz: float, limit: float) -> Values:
        require(on in (0, 1, 2), "0 no change, 1 on, 2 off")
        for speed in (vx, vy, vz):
            require(abs(speed) <= FASTEST_COMPENSATION, f"Speed out of range: {speed:g} m/s")
        require(0 <= limit <= 100, f"Saturation limit out of range: {limit:g} %")
        self._on = on == 1 if on else self._on
        self._velocity, self._limit = (vx, vy, vz), limit or self._limit
        self._world.tip.compensate(self._velocity if self._on else (0.0, 0.0, 0.0))
        return ()

    def drift_comp_get(self) -> Values:
        return int(self._on), *self._velocity, 0, 0, 0, self._limit

    def tilt_set(self, x: float, y: float) -> Values:
        """Remember the tilt; the twin's scan plane is that of the sample."""
        require(abs(x) <= 10 and abs(y) <= 10, f"Tilt out of range: {x:g}, {y:g} degrees")
        self._tilt = (x, y)
        return ()

    def tilt_get(self) -> Values:
        return self._tilt

    def range_get(self) -> Values:
        low, high = self._world.tip.travel.piezo
        return 2 * XY_RANGE, 2 * XY_RANGE, high - low

    def sens_get(self) -> Values:
        return tuple(length / (2 * VOLTS) for length in self.range_get())


@dataclass
class UserOutput:
    """An output that is connected to nothing."""

    mode: int = 0
    channel: int = 0
    value: float = 0.0
    calibration: tuple[float, float] = (1.0, 0.0)
    limits: tuple[float, float] = (VOLTS, -VOLTS)
    """High, low; in units of the calibration."""


class UserOutputs:
    """Commands ``UserOut.*``."""

    def __init__(self) -> None:
        self._outputs = [UserOutput() for _ in range(OUTPUTS)]

    def mode_set(self, output: int, mode: int) -> Values:
        require(mode in (0, 1), "The twin's outputs have the modes 0 (user) and 1 (monitor)")
        self._output(output).mode = mode
        return ()

    def mode_get(self, output: int) -> Values:
        return (self._output(output).mode,)

    def monitor_ch_set(self, output: int, channel: int) -> Values:
        require_signal(channel)
        self._output(output).channel = channel
        return ()

    def monitor_ch_get(self, output: int) -> Values:
        return (self._output(output).channel,)

    def val_set(self, output: int, value: float) -> Values:
        chosen = self._output(output)
        high, low = chosen.limits
        require(chosen.mode == 0, "The output is not in the mode User Output")
        require(low <= value <= high, f"Output value out of range: {value:g}")
        chosen.value = value
        return ()

    def calibr_set(self, output: int, per_volt: float, offset: float) -> Values:
        require(0 < abs(per_volt) < 1e30 and abs(offset) < 1e30, "Calibration out of range")
        self._output(output).calibration = (per_volt, offset)
        return ()

    def limits_set(self, output: int, high: float, low: float, raw: int) -> Values:
        require(low <= high, f"Limits {low:g} to {high:g}")
        self._output(output).limits = (high, low)
        return ()

    def limits_get(self, output: int, raw: int) -> Values:
        return self._output(output).limits

    def _output(self, number: int) -> UserOutput:
        require(1 <= number <= OUTPUTS, f"Outputs are numbered 1 to {OUTPUTS}")
        return self._outputs[number - 1]


class Utilities:
    """Commands ``Util.*``."""

    def __init__(self, signals: Signals, folder: SessionFolder) -> None:
        self._signals = signals
        self._folder = folder

    def session_path_get(self) -> Values:
        return (self._folder.path,)

    def session_path_set(self, path: str, save_settings: int) -> Values:
        self._folder.change(path)
        return ()

    def acq_period_set(self, period: float) -> Values:
        require(1e-4 <= period <= 10, f"Acquisition period out of range: {period:g} s")
        self._signals.period = period
        return ()

    def acq_period_get(self) -> Values:
        return (self._signals.period,)

    def rt_freq_get(self) -> Values:
        return (20e3,)

    def rt_oversampl_get(self) -> Values:
        return (10,)

    def lock(self) -> Values:
        return ()

    def un_lock(self) -> Values:
        return ()

    def version_get(self) -> Values:
        return "Nanonis SPM Control Software", "stm_daq twin", 14718, 14718

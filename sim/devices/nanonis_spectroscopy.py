"""The bias spectroscopy commands of the simulated controller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from sim.devices.nanonis_bias import BIAS_RANGE
from sim.devices.nanonis_files import SessionFolder
from sim.devices.nanonis_process import BUSY, Process, Steps
from sim.devices.nanonis_refusal import Values, require
from sim.devices.nanonis_scan import Scan
from sim.devices.nanonis_signals import NAMES, require_signal
from sim.devices.nanonis_sweep import FIXED, PARAMETERS, Segment, SpectrumData, Sweep, SweepSettings
from sim.waveform import Array

MOST_POINTS = 1 << 13
"""Of a sweep, all segments together."""
MOST_SEGMENTS = 16
LONGEST = 1e5
"""Longest time that may be set, s."""
NO_CHANGE, ON = 0, 1


class SpectroscopyModule:
    """Commands ``BiasSpectr.*``; see :mod:`sim.devices.nanonis_modules` for the convention.

    Parameters
    ----------
    experiment : Process
        What takes spectra, of this module or of a pattern; one at a time.
    scan : Scan
    sweep : Sweep
    settings : SweepSettings
    folder : SessionFolder
    vendor_layout : bool
        Whether the reply of PropsGet is laid out as nanonis-spm decodes it.
    """

    def __init__(
        self,
        experiment: Process,
        scan: Scan,
        sweep: Sweep,
        settings: SweepSettings,
        folder: SessionFolder,
        vendor_layout: bool,
    ) -> None:
        self._process = experiment
        self._scan = scan
        self._sweep = sweep
        self._settings = settings
        self._folder = folder
        self._vendor_layout = vendor_layout
        self._base_name = "Bias-Spectroscopy"
        self._ttl = (1, 1, 0.0, 0.0)
        self._sync = 1
        self._revert = 1

    # -- measuring ----------------------------------------------------------------------------

    def open(self) -> Values:
        return ()

    def start(self, get_data: int, base_name: str) -> Values:
        require(not self._process.running, BUSY)
        require(not self._scan.running, "Pause or stop the scan before a spectrum")
        self._base_name = base_name or self._base_name
        self._process.start(self._measure())
        if not get_data:
            require(not self._process.problem, self._process.problem)
            return (), np.empty((0, 0)), ()
        self._process.wait()
        data = self._process.result
        require(data is not None, f"The bias spectroscopy ended early: {self._process.problem}")
        return data.names, data.table, data.parameters

    def _measure(self) -> Steps[SpectrumData]:
        data = yield from self._sweep.steps()
        if self._settings.autosave:
            self._folder.save_spectrum(self._base_name, data)
        return data

    def stop(self) -> Values:
        self._process.stop()
        return ()

    def status_get(self) -> Values:
        return (int(self._process.running),)

    # -- what is measured ---------------------------------------------------------------------

    def chs_set(self, channels: Sequence[int]) -> Values:
        for channel in channels:
            require_signal(channel)
        require(len(channels) > 0, "At least one channel must be recorded")
        self._settings.channels = tuple(dict.fromkeys(int(c) for c in channels))
        return ()

    def chs_get(self) -> Values:
        channels = self._settings.channels
        return channels, tuple(NAMES[channel] for channel in channels)

    def props_set(
        self,
        save_all: int,
        sweeps: int,
        backward: int,
        points: int,
        z_offset: float,
        autosave: int,
        dialog: int,
    ) -> Values:
        s = self._settings
        require(0 <= sweeps <= 1000, f"Number of sweeps out of range: {sweeps}")
        require(points == 0 or 2 <= points <= MOST_POINTS, f"Number of points: {points}")
        s.save_all = _switched(save_all, s.save_all)
        s.sweeps = sweeps or s.sweeps
        s.backward = _switched(backward, s.backward)
        s.points = points or s.points
        s.z_offset = _offset(z_offset, s.z_offset)
        s.autosave = _switched(autosave, s.autosave)
        return ()

    def props_get(self) -> Values:
        s = self._settings
        numbers = (int(s.save_all), s.sweeps, int(s.backward), s.points)
        if self._vendor_layout:
            return *numbers, tuple(NAMES[c] for c in s.channels), PARAMETERS, FIXED
        return *numbers, PARAMETERS, FIXED, int(s.autosave), 0

    def adv_props_set(self, reset: int, hold: int, final_z: int, lock_in: int) -> Values:
        s = self._settings
        s.reset_bias = _switched(reset, s.reset_bias)
        s.hold = _switched(hold, s.hold)
        s.record_final_z = _switched(final_z, s.record_final_z)
        s.run_lock_in = _switched(lock_in, s.run_lock_in)
        return ()

    def adv_props_get(self) -> Values:
        s = self._settings
        return int(s.reset_bias), int(s.hold), int(s.record_final_z), int(s.run_lock_in)

    def limits_set(self, start: float, end: float) -> Values:
        s = self._settings
        for volts in (start, end):
            require(math.isnan(volts) or abs(volts) <= BIAS_RANGE, f"Bias out of range: {volts:g}")
        s.start = s.start if math.isnan(start) else start
        s.end = s.end if math.isnan(end) else end
        return ()

    def limits_get(self) -> Values:
        return self._settings.start, self._settings.end

    def timing_set(
        self,
        z_averaging: float,
        z_offset: float,
        initial: float,
        slew_rate: float,
        settling: float,
        integration: float,
        end: float,
        z_control: float,
    ) -> Values:
        s = self._settings
        require(math.isnan(slew_rate) or slew_rate >= 1e-6, f"Slew rate: {slew_rate:g} V/s")
        wanted = (z_averaging, initial, settling, integration, end, z_control)
        for time in wanted:
            require(math.isnan(time) or 0 <= time <= LONGEST, f"Time out of range: {time:g} s")
        s.z_averaging = _kept(z_averaging, s.z_averaging)
        s.z_offset = _offset(z_offset, s.z_offset)
        s.initial_settling = _kept(initial, s.initial_settling)
        s.slew_rate = _kept(slew_rate, s.slew_rate)
        s.settling = _kept(settling, s.settling)
        s.integration = _kept(integration, s.integration)
        s.end_settling = _kept(end, s.end_settling)
        s.z_control = _kept(z_control, s.z_control)
        return ()

    def timing_get(self) -> Values:
        s = self._settings
        before = (s.z_averaging, s.z_offset, s.initial_settling, s.slew_rate)
        return *before, s.settling, s.integration, s.end_settling, s.z_control

    def alt_z_ctrl_set(self, on: int, setpoint: float, settling: float) -> Values:
        old_on, old_setpoint, old_settling = self._settings.alternate_setpoint
        new = _kept(setpoint, old_setpoint), _kept(settling, old_settling)
        require(0 < new[0] < 1 and 0 <= new[1] <= LONGEST, "Set-point or time out of range")
        self._settings.alternate_setpoint = (_switched(on, old_on), *new)
        return ()

    def alt_z_ctrl_get(self) -> Values:
        on, setpoint, settling = self._settings.alternate_setpoint
        return int(on), setpoint, settling

    # -- segments -----------------------------------------------------------------------------

    def mls_mode_set(self, mode: str) -> Values:
        require(mode in ("Linear", "MLS"), f"Sweep mode {mode!r}: Linear or MLS")
        self._settings.segmented = mode == "MLS"
        return ()

    def mls_mode_get(self) -> Values:
        return ("MLS" if self._settings.segmented else "Linear",)

    def mls_lockin_per_seg_set(self, on: int) -> Values:
        self._settings.lock_in_per_segment = bool(on)
        return ()

    def mls_lockin_per_seg_get(self) -> Values:
        return (int(self._settings.lock_in_per_segment),)

    def mls_vals_set(self, count: int, *columns: Array) -> Values:
        segments = [
            Segment(start, end, int(steps), initial, settling, integration, bool(lock_in))
            for start, end, initial, settling, integration, steps, lock_in in zip(
                *columns, strict=True
            )
        ]
        segments = segments[:MOST_SEGMENTS]
        total = sum(segment.points for segment in segments)
        require(total <= MOST_POINTS, f"{total} points; a sweep has up to {MOST_POINTS}")
        for s in segments:
            biases = max(abs(s.start), abs(s.end)) <= BIAS_RANGE
            require(biases and s.points >= 2, "A segment is out of range")
            for time in (s.initial_settling, s.settling, s.integration):
                require(0 <= time <= LONGEST, "A time of a segment is out of range")
        self._settings.segments = segments
        return ()

    def mls_vals_get(self) -> Values:
        rows = [tuple(asdict(segment).values()) for segment in self._settings.segments]
        start, end, points, *times, lock_in = zip(*rows, strict=True) if rows else [()] * 7
        return len(rows), start, end, *times, points, [int(on) for on in lock_in]

    # -- digital lines: remembered, nothing is connected to them ------------------------------

    def dig_sync_set(self, sync: int) -> Values:
        require(sync <= 3, f"Digital synchronisation: {sync}")
        self._sync = sync or self._sync
        return ()

    def dig_sync_get(self) -> Values:
        return (self._sync - 1,)

    def ttl_sync_set(self, line: int, polarity: int, time_to_on: float, duration: float) -> Values:
        require(line <= 4 and polarity <= 2, "TTL line 1 to 4, polarity 1 or 2")
        old = self._ttl
        times = _kept(time_to_on, old[2]), _kept(duration, old[3])
        require(all(0 <= time <= LONGEST for time in times), "TTL times out of range")
        self._ttl = (line or old[0], polarity or old[1], *times)
        return ()

    def ttl_sync_get(self) -> Values:
        line, polarity, *times = self._ttl
        return line - 1, polarity - 1, *times

    def z_off_revert_set(self, revert: int) -> Values:
        require(revert != 2, "The twin always takes the Z offset back")
        return ()

    def z_off_revert_get(self) -> Values:
        return (self._revert,)


def _switched(order: int, before: bool) -> bool:
    """Return a switch after an order: 0 no change, 1 on, 2 off."""
    require(order in (0, 1, 2), f"A switch is 0 (no change), 1 (on) or 2 (off), not {order}")
    return before if order == NO_CHANGE else order == ON


def _kept(value: float, before: float) -> float:
    """Return `value`, or what it was before if it is NaN."""
    return before if math.isnan(value) else value


def _offset(value: float, before: float) -> float:
    offset = _kept(value, before)
    require(abs(offset) < 1e-6, f"Z offset out of range: {offset:g} m")
    return offset

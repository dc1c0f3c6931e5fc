"""Modules of the simulated controller: z controller, safe tip, moves.

Every method carries out the command of its name (``z_pos_set`` is ``ZPosSet``): it receives the
command's arguments and returns its return values.
"""

from __future__ import annotations

import math

from sim.devices.nanonis_process import BUSY, Later, Process
from sim.devices.nanonis_refusal import Values, require
from sim.devices.nanonis_scan import Scan
from sim.devices.nanonis_scan_module import XY_RANGE
from sim.devices.nanonis_signals import CURRENT, Signals, Z
from sim.world import World

ROUNDING = 1 + 1e-6
"""Numbers come as float32."""
SLOWEST = 1e-12
"""Least speed that may be set, m/s."""
LONGEST_DELAY = 100.0
"""s."""
OFF, ON, SWITCHING_OFF, SAFE_TIP = 1, 2, 4, 5


class ZController:
    """The feedback loop and the z piezo."""

    def __init__(
        self,
        world: World,
        signals: Signals,
        scan: Scan,
        experiment: Process,
        delay: float,
        withdraw_rate: float,
    ) -> None:
        self._world = world
        self._tip = world.tip
        self._signals = signals
        self._scan = scan
        self._experiment = experiment
        self._delay = delay
        self._rate = withdraw_rate
        self._switch_off = Later(world.clock)
        self._lift = 0.0
        self._home = (True, 0.0)
        self._gains = (1e-12, 1e-3, 1e-9)
        self.safe_tip_tripped = False

    @property
    def tripped_by_a_fault(self) -> bool:
        """Whether the twin lets the safe tip trip for no reason, once."""
        return not self.safe_tip_tripped and self._world.faults.active("safe_tip")

    def on_off_set(self, on: int) -> Values:
        self._switch_off.recall()
        self.safe_tip_tripped = False
        if on:
            self._tip.release()
        elif self._tip.feedback_on:
            self._switch_off.do(self._delay, self._open)
        return ()

    def _open(self) -> None:
        """Open the loop and lift the tip."""
        self._tip.hold()
        if self._lift:  # as far as the piezo goes
            low, high = self._tip.travel.range
            lifted = self._tip.z(self._world.clock.now()) + self._lift
            self._tip.set_z(min(max(lifted, low), high))

    def _place(self, z: float) -> None:
        low, high = self._tip.travel.range
        require(low <= z <= high, f"Z position out of range: {z:g} m")
        self._tip.set_z(z)

    def on_off_get(self) -> Values:
        return (int(self._tip.feedback_on),)

    def status_get(self) -> Values:
        if self.safe_tip_tripped:
            return (SAFE_TIP,)
        if self._switch_off.pending:
            return (SWITCHING_OFF,)
        return (ON if self._tip.feedback_on else OFF,)

    def z_pos_set(self, z: float) -> Values:
        require(not self._tip.feedback_on, "Switch the Z-Controller off before setting Z")
        self._place(z)
        return ()

    def z_pos_get(self) -> Values:
        return (self._signals.value(Z),)

    def setpnt_set(self, setpoint: float) -> Values:
        largest = self._world.preamplifier.full_scale
        require(0 < setpoint <= largest, f"Setpoint out of range: {setpoint:g} A")
        self._tip.set_setpoint(setpoint)
        return ()

    def setpnt_get(self) -> Values:
        return (self._tip.setpoint,)

    def switch_off_delay_set(self, delay: float) -> Values:
        require(0 <= delay <= LONGEST_DELAY, f"Switch-off delay out of range: {delay:g} s")
        self._delay = delay
        return ()

    def switch_off_delay_get(self) -> Values:
        return (self._delay,)

    def gain_set(self, p: float, time_constant: float, i: float) -> Values:
        """Remember the gains; the twin's loop has a time constant of its own."""
        require(p >= 0 and time_constant > 0 and i >= 0, "Gains and time constant out of range")
        self._gains = (p, time_constant, i)
        return ()

    def gain_get(self) -> Values:
        return self._gains

    def tip_lift_set(self, lift: float) -> Values:
        require(abs(lift) < 1e-6, f"Tip lift out of range: {lift:g} m")
        self._lift = lift
        return ()

    def tip_lift_get(self) -> Values:
        return (self._lift,)

    def home(self) -> Values:
        absolute, position = self._home
        here = 0.0 if absolute else self._tip.z(self._world.clock.now())
        self._switch_off.recall()
        self._tip.hold()
        self._place(here + position)
        return ()

    def home_props_set(self, reference: int, position: float) -> Values:
        require(reference in (0, 1, 2), "0 as it is, 1 absolute, 2 relative")
        require(abs(position) < 1e-6, f"Home position out of range: {position:g} m")
        self._home = (reference == 1 if reference else self._home[0], position)
        return ()

    def home_props_get(self) -> Values:
        absolute, position = self._home
        return int(absolute), position

    def active_ctrl_set(self, controller: int) -> Values:
        require(controller == 0, f"There is no Z-Controller number {controller}")
        return ()

    def ctrl_list_get(self) -> Values:
        return ("log Current",), 0

    def withdraw(self, wait: int, timeout_ms: int) -> Values:
        self._scan.stop()
        self._experiment.stop()
        self._switch_off.recall()
        clock = self._world.clock
        travel = (self._tip.travel.range[1] - self._tip.z(clock.now())) / self._rate
        self._tip.withdraw()
        if wait:
            clock.sleep(travel if timeout_ms < 0 else min(travel, timeout_ms * 1e-3))
        return ()

    def withdraw_rate_set(self, rate: float) -> Values:
        require(SLOWEST <= rate < 1, f"Withdraw rate out of range: {rate:g} m/s")
        self._rate = rate
        return ()

    def withdraw_rate_get(self) -> Values:
        return (self._rate,)

    def limits_set(self, high: float, low: float) -> Values:
        lowest, highest = self._tip.travel.piezo
        inside = lowest * ROUNDING <= low < high <= highest * ROUNDING
        require(inside, f"Z limits out of range: {low:g} m to {high:g} m")
        self._tip.limit_z((low, high), self._tip.travel.limited)
        return ()

    def limits_get(self) -> Values:
        low, high = self._tip.travel.limits
        return high, low

    def limits_enabled_set(self, on: int) -> Values:
        self._tip.limit_z(self._tip.travel.limits, bool(on))
        return ()

    def limits_enabled_get(self) -> Values:
        return (int(self._tip.travel.limited),)


class SafeTip:
    """Withdraws the tip when the current grows too large; looked at with every request."""

    def __init__(self, z_controller: ZController, signals: Signals) -> None:
        self._z_controller = z_controller
        self._signals = signals
        self._on = False
        self._threshold = 5e-9

    def guard(self) -> None:
        """Withdraw the tip if it is time to."""
        too_large = self._on and abs(self._signals.value(CURRENT)) > self._threshold
        if too_large or self._z_controller.tripped_by_a_fault:
            self._z_controller.withdraw(0, 0)
            self._z_controller.safe_tip_tripped = True

    def on_off_set(self, on: int) -> Values:
        self._on = bool(on)
        return ()

    def on_off_get(self) -> Values:
        return (int(self._on),)

    def signal_get(self) -> Values:
        return (abs(self._signals.value(CURRENT)),)

    def props_set(self, auto_recovery: int, auto_pause_scan: int, threshold: float) -> Values:
        require(auto_recovery != 1, "The twin's safe tip has no auto recovery")
        require(0 < threshold < 1, f"Threshold out of range: {threshold:g} A")
        self._threshold = threshold
        return ()

    def props_get(self) -> Values:
        return 0, 1, self._threshold


class FollowMe:
    """Moves of the tip outside the scan."""

    def __init__(
        self, world: World, signals: Signals, scan: Scan, experiment: Process, speed: float
    ) -> None:
        self._world = world
        self._signals = signals
        self._scan = scan
        self._experiment = experiment
        self._speed = speed
        self._custom = 1
        self._oversampling = 10
        self._move = Later(world.clock)

    def xy_pos_set(self, x: float, y: float, wait: int) -> Values:
        require(not self._scan.running, "Pause or stop the scan before moving the tip")
        require(not self._experiment.running, BUSY)
        inside = abs(x) <= XY_RANGE and abs(y) <= XY_RANGE
        require(inside, f"Position out of range: {x:g} m, {y:g} m")
        tip = self._world.tip
        travel = math.dist(tip.position, (x, y)) / self.speed
        began = self._world.clock.now()
        self._move.do(travel, lambda: tip.move_to(x, y, began))
        if wait:
            self._world.clock.sleep(travel)
        return ()

    def xy_pos_get(self, wait_for_newest: int) -> Values:
        if wait_for_newest:
            self._signals.wait_for_newest()
        return self._world.tip.position

    def speed_set(self, speed: float, custom: int) -> Values:
        require(SLOWEST <= speed < 1, f"Speed out of range: {speed:g} m/s")
        self._speed, self._custom = speed, custom
        return ()

    def speed_get(self) -> Values:
        return self.speed, self._custom

    def stop(self) -> Values:
        self._move.recall()
        return ()

    def oversampl_set(self, oversampling: int) -> Values:
        require(1 <= oversampling <= 10_000, f"Oversampling out of range: {oversampling}")
        self._oversampling = oversampling
        return ()

    def oversampl_get(self) -> Values:
        return self._oversampling, 1 / self._signals.period

    def ps_on_off_set(self, on: int) -> Values:
        require(not on, "The twin has no Point & Shoot")
        return ()

    def ps_on_off_get(self) -> Values:
        return (0,)

    @property
    def speed(self) -> float:
        """Speed of the moves, m/s."""
        return self._speed if self._custom else self._scan.settings.speed

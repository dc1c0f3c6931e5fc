"""Modules of the simulated controller: bias, current, z controller, safe tip, moves.

Every method carries out the command of its name (``z_pos_set`` is ``ZPosSet``): it receives the
command's arguments and returns its return values.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sim.devices.nanonis_refusal import Values, require
from sim.devices.nanonis_scan import Scan
from sim.devices.nanonis_signals import CURRENT, Signals, Z
from sim.waveform import Waveform
from sim.world import World
from stm_daq.clock import VirtualClock

BIAS_RANGE = 10.0
"""Largest bias of the controller's own output, V."""
REMEMBER = 60.0
"""History of the bias that is kept for readings of the near past, s."""
ROUNDING = 1 + 1e-6
"""Numbers come as float32."""
OFF, ON, SWITCHING_OFF, SAFE_TIP = 1, 2, 4, 5


class Later:
    """One action that waits for its time and can be recalled."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._order: object | None = None

    @property
    def pending(self) -> bool:
        """Whether the action is still to come."""
        return self._order is not None

    def do(self, delay: float, action: Callable[[], None]) -> None:
        """Carry out `action` after `delay` seconds, at once if that is zero."""
        self.recall()
        if delay <= 0:
            action()
            return
        order = self._order = object()

        def act() -> None:
            if self._order is order:
                self._order = None
                action()

        self._clock.call_at(self._clock.now() + delay, act)

    def recall(self) -> None:
        """Forget the action."""
        self._order = None


class BiasModule:
    """The controller's own bias output."""

    def __init__(self, world: World, signals: Signals) -> None:
        self._clock = world.clock
        self._signals = signals
        self._waveform = Waveform(0.0)
        world.add_bias("nanonis", self._waveform)

    def set(self, volts: float) -> Values:
        require(abs(volts) <= BIAS_RANGE, f"Bias out of range: {volts:g} V")
        now = self._clock.now()
        self._waveform.forget_before(now - REMEMBER)
        self._waveform.ramp(now, volts, math.inf)
        self._signals.bias = volts
        return ()

    def get(self) -> Values:
        return (self._signals.bias,)


class CurrentModule:
    """The current input."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def get(self) -> Values:
        return (self._signals.value(CURRENT),)


class ZController:
    """The feedback loop and the z piezo."""

    def __init__(
        self, world: World, signals: Signals, scan: Scan, delay: float, withdraw_rate: float
    ) -> None:
        self._world = world
        self._tip = world.tip
        self._signals = signals
        self._scan = scan
        self._delay = delay
        self._rate = withdraw_rate
        self._switch_off = Later(world.clock)
        self.safe_tip_tripped = False

    def on_off_set(self, on: int) -> Values:
        self._switch_off.recall()
        self.safe_tip_tripped = False
        if on:
            self._tip.release()
        elif self._tip.feedback_on:
            self._switch_off.do(self._delay, self._tip.hold)
        return ()

    def on_off_get(self) -> Values:
        return (int(self._tip.feedback_on),)

    def status_get(self) -> Values:
        if self.safe_tip_tripped:
            return (SAFE_TIP,)
        if self._switch_off.pending:
            return (SWITCHING_OFF,)
        return (ON if self._tip.feedback_on else OFF,)

    def z_pos_set(self, z: float) -> Values:
        low, high = self._tip.travel.range
        require(not self._tip.feedback_on, "Switch the Z-Controller off before setting Z")
        require(low <= z <= high, f"Z position out of range: {z:g} m")
        self._tip.set_z(z)
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
        require(delay >= 0, f"Switch-off delay out of range: {delay:g} s")
        self._delay = delay
        return ()

    def switch_off_delay_get(self) -> Values:
        return (self._delay,)

    def withdraw(self, wait: int, timeout_ms: int) -> Values:
        self._scan.stop()
        self._switch_off.recall()
        clock = self._world.clock
        travel = (self._tip.travel.range[1] - self._tip.z(clock.now())) / self._rate
        self._tip.withdraw()
        if wait:
            clock.sleep(travel if timeout_ms < 0 else min(travel, timeout_ms * 1e-3))
        return ()

    def withdraw_rate_set(self, rate: float) -> Values:
        require(rate > 0, f"Withdraw rate out of range: {rate:g} m/s")
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
        if self._on and abs(self._signals.value(CURRENT)) > self._threshold:
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
        require(threshold > 0, f"Threshold out of range: {threshold:g} A")
        self._threshold = threshold
        return ()

    def props_get(self) -> Values:
        return 0, 1, self._threshold


class FollowMe:
    """Moves of the tip outside the scan."""

    def __init__(self, world: World, signals: Signals, scan: Scan, speed: float) -> None:
        self._world = world
        self._signals = signals
        self._scan = scan
        self._speed = speed
        self._custom = 1
        self._move = Later(world.clock)

    def xy_pos_set(self, x: float, y: float, wait: int) -> Values:
        require(not self._scan.running, "Pause or stop the scan before moving the tip")
        tip = self._world.tip
        travel = math.dist(tip.position, (x, y)) / self._current_speed()
        self._move.recall()
        if wait:
            self._world.clock.sleep(travel)
            tip.move_to(x, y)
        else:
            self._move.do(travel, lambda: tip.move_to(x, y))
        return ()

    def xy_pos_get(self, wait_for_newest: int) -> Values:
        if wait_for_newest:
            self._signals.wait_for_newest()
        return self._world.tip.position

    def speed_set(self, speed: float, custom: int) -> Values:
        require(speed > 0, f"Speed out of range: {speed:g} m/s")
        self._speed, self._custom = speed, custom
        return ()

    def speed_get(self) -> Values:
        return self._current_speed(), self._custom

    def stop(self) -> Values:
        self._move.recall()
        return ()

    def _current_speed(self) -> float:
        return self._speed if self._custom else self._scan.settings.speed

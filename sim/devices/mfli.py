"""Zurich Instruments MFLI as a session of the vendor's library sees it: nodes and samples.

LabOne has a closed protocol, so the twin stands in for the object that the library would give:
``zhinst.core.ziDAQServer``, as far as :mod:`drivers.mfli` uses it. Nodes after the maker's node
documentation. A sample holds X, Y and both auxiliary inputs; it is sent at the rate of the
demodulator, or at a rising edge of Trigger In 1 on the next tick of that rate. An unknown node is an
error. Not simulated: other demodulators and inputs, harmonics, the sinc filter, quantisation of X.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.devices.lock_in_path import Array, LockInPath, Output, Settings
from sim.devices.sample_buffer import SampleBuffer
from sim.devices.sr830_tables import digitise
from sim.devices.trigger_line import TriggerLine
from sim.world import World

LATENCY = 1e-3
"""Duration of one call, s."""
CLOCK_BASE = 60e6
"""Time stamps per second."""
AUX_FULL_SCALE = 10.5
CAPACITY = 1_000_000
"""Samples that the data server keeps for a client that does not poll."""
EXTREMES = ("sigins/0/max", "sigins/0/min")

NODES: dict[str, tuple[float, float, float]] = {
    "clockbase": (CLOCK_BASE, CLOCK_BASE, CLOCK_BASE),
    "oscs/0/freq": (1000.0, 0.0, 500e3),
    "demods/0/adcselect": (0, 0, 0),
    "demods/0/oscselect": (0, 0, 0),
    "demods/0/harmonic": (1, 1, 1),
    "demods/0/phaseshift": (0.0, -1e4, 1e4),
    "demods/0/order": (3, 1, 8),
    "demods/0/timeconstant": (0.01, 337e-9, 83.0),
    "demods/0/sinc": (0, 0, 0),
    "demods/0/rate": (1674.0, 0.05, 857e3),
    "demods/0/trigger": (0, 0, 1),
    "demods/0/enable": (0, 0, 1),
    "sigins/0/range": (3.0, 1e-3, 3.0),
    "sigouts/0/range": (10.0, 0.01, 10.0),
    "sigouts/0/on": (0, 0, 1),
}
"""Default, least and largest value of each node."""


class Mfli:
    """An MFLI whose signal output modulates the junction and that measures its response.

    Parameters
    ----------
    name : str
    world : World
    trigger : TriggerLine
        Cable at Trigger In 1.
    sine_divider : float
        Junction voltage per volt of the signal output.
    auxiliary_input : int
        Auxiliary input that the preamplifier's dc output is wired to, 1 or 2.
    serial : int
    output_mixer : int
        Mixer that feeds the signal output.
    """

    def __init__(
        self,
        name: str,
        world: World,
        trigger: TriggerLine,
        sine_divider: float = 1e-4,
        auxiliary_input: int = 1,
        serial: int = 1234,
        output_mixer: int = 1,
    ) -> None:
        self.name = name
        self.world = world
        self.clock = world.clock
        self.transactions = 0
        self.unknown: list[str] = []
        """Every node that was asked for and does not exist."""
        self._prefix = f"/dev{serial}/"
        self._divider = sine_divider
        self._wired = f"auxin{auxiliary_input - 1}"
        self._amplitude = f"sigouts/0/amplitudes/{output_mixer}"
        self._enable = f"sigouts/0/enables/{output_mixer}"
        self._allowed = {**NODES, self._amplitude: (0.0, 0.0, 10.0), self._enable: (0, 0, 1)}
        self._values = {node: default for node, (default, _, _) in self._allowed.items()}
        self._path = LockInPath(world, world.rng(name))
        self._line = trigger
        self._buffer = SampleBuffer(trigger, 1.0, CAPACITY)
        self._subscribed: set[str] = set()
        self._since = 0.0
        self._peak = 0.0

    # -- the vendor's interface ---------------------------------------------------------------

    def getDouble(self, path: str) -> float:  # noqa: N802
        """Return the value of a node."""
        self._call()
        node = self._node(path, (*self._values, *EXTREMES))
        if node in EXTREMES:
            self._output(np.array([self.clock.now()]))
            return self._take_peak() * (1 if node.endswith("max") else -1)
        return float(self._values[node])

    def getInt(self, path: str) -> int:  # noqa: N802
        """Return the value of a node as a whole number."""
        return int(self.getDouble(path))

    def setDouble(self, path: str, value: float) -> None:  # noqa: N802
        """Set a node; a value that it does not take is replaced by the nearest one."""
        self._call()
        node = self._node(path, self._values)
        _, low, high = self._allowed[node]
        self._sample()
        self._values[node] = min(max(value, low), high)
        self._modulate()
        self._restart()

    def setInt(self, path: str, value: int) -> None:  # noqa: N802
        """Set a node to a whole number."""
        self.setDouble(path, int(value))

    def getSample(self, path: str) -> dict[str, Array]:  # noqa: N802
        """Return the newest sample of a demodulator, as arrays of one."""
        self._call()
        self._node(path, ("demods/0/sample",))
        if not self._values["demods/0/enable"] or self._values["demods/0/trigger"]:
            self.clock.sleep(5.0)
            raise RuntimeError("getSample: time-out, the demodulator sends nothing")
        return self._fields(np.array([self.clock.now()]))

    def subscribe(self, path: str) -> None:
        """Receive a node from now on."""
        self._call()
        self._subscribed.add(self._node(path, ("demods/0/sample", *EXTREMES)))
        self._since, self._peak = self.clock.now(), 0.0
        self._restart()

    def unsubscribe(self, path: str) -> None:
        """Receive nothing any more (only ``*``)."""
        self._call()
        self._node(self._prefix + path, ("*",))
        self._subscribed.clear()
        self._buffer.reset()

    def sync(self) -> None:
        """Wait until all settings have arrived."""
        self._call()

    def poll(
        self, recording_time: float, timeout_ms: int, flags: int = 0, flat: bool = False
    ) -> dict[str, Any]:
        """Return what the subscribed nodes have sent, after `recording_time` s."""
        self._call()
        self.clock.sleep(recording_time)
        self._sample()
        data: dict[str, Any] = {}
        taken = self._buffer.take()
        if len(taken):
            fields = dict(zip(("timestamp", "x", "y", "auxin0", "auxin1"), taken.T, strict=True))
            data["demods/0/sample"] = {**fields, "time": {"dataloss": False}}
        peak = self._take_peak()
        for node, sign in zip(EXTREMES, (1, -1), strict=True):
            if node in self._subscribed and peak:
                data[node] = {"value": np.array([sign * peak])}
        return {self._prefix + node: value for node, value in data.items()}

    # -- inside -------------------------------------------------------------------------------

    def _call(self) -> None:
        self.transactions += 1
        self.clock.sleep(LATENCY)

    def _node(self, path: str, known: Any) -> str:
        node = path.lower().removeprefix(self._prefix)
        if node not in known:
            self.unknown.append(path)
            raise RuntimeError(f"ZIAPINotFoundException: no node {path}")
        return node

    def _modulate(self) -> None:
        on = self._values["sigouts/0/on"] and self._values[self._enable]
        amplitude = min(self._values[self._amplitude], self._values["sigouts/0/range"])
        peak = amplitude * self._divider if on else 0.0
        self.world.set_modulation(self._values["oscs/0/freq"], peak)

    def _restart(self) -> None:
        """Sample by the present settings, if anybody listens."""
        rate = self._values["demods/0/rate"]
        stored = self._buffer
        self._buffer = SampleBuffer(self._line, 1 / rate, CAPACITY)
        self._buffer.set_rate(None if self._values["demods/0/trigger"] else rate)
        if stored.count:
            self._buffer.store(*stored.samples().T)
        if "demods/0/sample" in self._subscribed and self._values["demods/0/enable"]:
            self._buffer.start(self.clock.now())

    def _sample(self) -> None:
        """Make the samples that are due by now."""
        times = self._buffer.due(self.clock.now())
        if len(times):
            self._buffer.store(*self._fields(times).values())

    def _output(self, times: Array) -> Output:
        values = self._values
        settings = Settings(
            values["demods/0/timeconstant"],
            int(values["demods/0/order"]),
            values["demods/0/phaseshift"],
        )
        output = self._path.output(times, settings, self._since)
        self._peak = max(self._peak, output.largest_peak / values["sigins/0/range"])
        return output

    def _fields(self, times: Array) -> dict[str, Array]:
        output = self._output(times)
        limit = self._values["sigins/0/range"] / math.sqrt(2)
        auxiliary = digitise(output.dc, AUX_FULL_SCALE)
        fields = {
            "timestamp": np.floor(times * CLOCK_BASE),
            "x": np.clip(output.xy.real, -limit, limit),
            "y": np.clip(output.xy.imag, -limit, limit),
            "auxin0": np.zeros_like(auxiliary),
            "auxin1": np.zeros_like(auxiliary),
        }
        fields[self._wired] = auxiliary
        return fields

    def _take_peak(self) -> float:
        """Return the largest input since the last question, relative to the range."""
        peak, self._peak, self._since = min(self._peak, 1.0), 0.0, self.clock.now()
        return peak

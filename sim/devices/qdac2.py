"""QDevil QDAC-II voltage source: dc, lists, slew, markers and triggers.

What the twin has is what the qcodes_contrib_drivers driver sends for constant voltages and dc
lists. Taken from that driver: the command names, lists as little-endian float32 blocks, the ranges.
Assumed where the driver does not tell: the slew rate also limits the steps of a list; a list that
is aborted leaves the output where it is; going back to fixed mode slews to the fixed voltage last
programmed; ``volt:last?`` is what the output gives now. Sweeps, waveforms, current measurements and
the 10 Hz output filter are not simulated.
"""

from __future__ import annotations

import math

import numpy as np

from sim.devices.qdac2_channel import FASTEST_SLEW, RANGES, Array, Channel
from sim.devices.scpi import SCPI_ERRORS, Device
from sim.devices.scpi_rows import Call, Row, ScpiError, choice, number, stored
from sim.devices.trigger_line import TriggerLine
from sim.waveform import Waveform
from sim.world import World

CHANNELS = 24
HISTORY = 60.0
"""So much of the past of an output is remembered, s."""


CURRENT_METER = (
    *stored("SENSe#:RANGe", "HIGH", choice("LOW", "HIGH")),
    *stored("SENSe#:APERture", "0.02", number(1e-6, 10)),
    *stored("SENSe#:NPLCycles", "1", number(1, 1000)),
    *stored("SENSe#:DELay", "0", number(0, 3600)),
    *stored("SENSe#:COUNt", "1", number(1, 1_000_000)),
    Row("SENSe#:NCLeft?", lambda _d, _c: "0"),
    Row("SENSe#:DATA:LAST?", lambda _d, _c: "0"),
    Row("SENSe#:DATA:POINts?", lambda _d, _c: "0"),
    Row("READ#?", lambda _d, _c: "0"),
    Row("FETCh#?", lambda _d, _c: "0"),
)
"""The current meter of each channel, which nothing is connected to: it reads zero."""


class Qdac2(Device):
    """The source as its driver sees it.

    Parameters
    ----------
    name : str
    world : World
    trigger : TriggerLine
        Cable on one of the trigger outputs.
    junction_channel : int
        Channel that biases the junction.
    divider : float
        Junction voltage per volt of that channel.
    trigger_output : int
        Trigger output that has the cable.
    """

    IDENTITY = "QDevil, QDAC-II, 0, 3-1.28"

    def __init__(
        self,
        name: str,
        world: World,
        trigger: TriggerLine,
        junction_channel: int = 1,
        divider: float = 0.01,
        trigger_output: int = 1,
    ) -> None:
        super().__init__(name, world)
        self._line = trigger
        self._trigger_output = trigger_output
        self._channels = {n: Channel(Waveform()) for n in range(1, CHANNELS + 1)}
        self._channels[junction_channel].scale = divider
        self._junction_channel = junction_channel
        world.add_bias(name, self._channels[junction_channel].wave)

    def channel(self, call: Call) -> Channel:
        """Return the channel that a command means."""
        found = self._channels.get(call.numbers[0])
        if found is None:
            raise ScpiError(-114, "Header suffix out of range")
        return found

    # -- constant voltage ---------------------------------------------------------------------

    def set_voltage(self, call: Call) -> None:
        """``sourN:volt``: the fixed voltage."""
        channel, volts = self.channel(call), call.number()
        channel.require(np.array([volts]))
        channel.fixed = volts
        if channel.mode == "FIX" and not self.world.faults.active("stuck", self.name):
            channel.go_to(volts, self.clock.now())

    def set_mode(self, call: Call) -> None:
        """``sourN:volt:mode``: fixed, list or sweep."""
        channel = self.channel(call)
        mode = choice("FIXed", "LIST", "SWEep")(call.word())
        if mode == "FIX" and channel.mode != "FIX":
            self._stop(channel)
            channel.go_to(channel.fixed, self.clock.now())
        channel.mode = mode

    def set_range(self, call: Call) -> None:
        """``sourN:rang``: low or high."""
        channel = self.channel(call)
        wanted = choice("LOW", "HIGH")(call.word())
        if abs(channel.output(self.clock.now())) > RANGES[wanted]:
            raise ScpiError(-221, "Settings conflict")
        channel.range = wanted

    def set_slew(self, call: Call) -> None:
        """``sourN:volt:slew``, V/s."""
        channel = self.channel(call)
        text = call.args[0].lower() if call.args else ""
        slew = FASTEST_SLEW if text in ("inf", "max") else call.number()
        if not 0.01 <= slew <= FASTEST_SLEW:
            raise ScpiError(-222, "Data out of range")
        channel.slew = slew

    # -- list ---------------------------------------------------------------------------------

    def set_list(self, call: Call) -> None:
        """``sourN:list:volt``: a block of float32, or numbers as text."""
        channel = self.channel(call)
        if len(call.block) % 4:
            raise ScpiError(-161, "Invalid block data")
        if call.block:
            volts = np.frombuffer(call.block, "<f4").astype(np.float64)
        else:
            volts = np.array([call.number(i) for i in range(len(call.args))])
        channel.require(volts)
        channel.list = volts

    def set_dwell(self, call: Call) -> None:
        """``sourN:list:dwel``, s."""
        if not 1e-6 <= call.number() <= 3600:
            raise ScpiError(-222, "Data out of range")
        self.channel(call).dwell = call.number()

    def set_count(self, call: Call) -> None:
        """``sourN:list:coun``: repetitions; endless ones are not simulated."""
        self.channel(call).count = call.whole(1, 1_000_000)

    def set_delay(self, call: Call) -> None:
        """``sourN:dc:del``: from the trigger to the first step, s."""
        if call.number() < 0:
            raise ScpiError(-222, "Data out of range")
        self.channel(call).delay = call.number()

    def remaining(self, call: Call) -> str:
        """``sourN:list:ncl?``: cycles that are left of a running list."""
        channel = self.channel(call)
        left = channel.busy_until - self.clock.now()
        cycle = channel.dwell * max(len(channel.list), 1)
        return str(max(math.ceil(left / cycle), 0) if math.isfinite(left) else 0)

    # -- triggers -----------------------------------------------------------------------------

    def set_trigger(self, call: Call) -> None:
        """``sourN:dc:trig:sour``: what starts a list."""
        source = call.word().upper()
        kinds = ("HOLD", "IMM", "BUS", *(f"INT{n}" for n in range(1, 15)))
        if source not in (*kinds, *(f"EXT{n}" for n in range(1, 5))):
            raise ScpiError(-224, "Illegal parameter value")
        self.channel(call).trigger = source

    def set_continuous(self, call: Call) -> None:
        """``sourN:dc:init:cont``: wait for the next trigger again after each list."""
        self.channel(call).continuous = call.word().upper() in ("ON", "1")

    def initiate(self, call: Call) -> None:
        """``sourN:dc:init``: start, or wait for the trigger once."""
        channel = self.channel(call)
        channel.armed = True
        if channel.trigger == "IMM":
            self._start(channel)

    def abort(self, call: Call) -> None:
        """``sourN:dc:abor``: stop where it is."""
        self._stop(self.channel(call))

    def abort_all(self, _call: Call) -> None:
        """``abor``: stop every channel where it is."""
        for channel in self._channels.values():
            self._stop(channel)

    def bus_trigger(self, _call: Call) -> None:
        """``*TRG``."""
        self._fire("BUS")

    def internal_trigger(self, call: Call) -> None:
        """``tint N``."""
        self._fire(f"INT{call.whole(1, 14)}")

    def _fire(self, source: str) -> None:
        for channel in self._channels.values():
            if channel.trigger == source and (channel.continuous or channel.armed):
                self._start(channel)

    def _start(self, channel: Channel) -> None:
        now = self.clock.now()
        if channel.mode != "LIST" or not len(channel.list) or now < channel.busy_until:
            return
        channel.armed = False
        stuck = self.world.faults.active("stuck", self.name)
        begins = channel.run_list(now + channel.delay, stuck)
        if self.world.faults.active("endless", self.name):
            begins = channel.stall(begins)
        ends = begins + channel.dwell
        pulses = {"SST": begins, "SEND": ends, "STAR": begins[:1], "END": ends[-1:]}
        for marker, times in pulses.items():
            self._pulse(channel.markers.get(marker, 0), times)
        channel.wave.forget_before(now - HISTORY)
        self._line.forget_before(now - HISTORY)

    def _stop(self, channel: Channel) -> None:
        now = self.clock.now()
        if now < channel.busy_until:
            channel.wave.cut(now)
            channel.busy_until = now
            self._line.cut(now)
        channel.armed = False

    def _pulse(self, internal: int, times: Array) -> None:
        """Pass an internal trigger on to the output with the cable."""
        port = self._trigger_output
        source = self.settings.get(("OUTPut:TRIGger#:SOURce", port), "HOLD")
        if internal and source.upper() == f"INT{internal}":
            delay = float(self.settings.get(("OUTPut:TRIGger#:DELay", port), "0"))
            self._line.pulse(times + delay)

    def marker(self, call: Call, name: str) -> None:
        """``sourN:dc:mark:sst|send|star|end``: which internal trigger marks this."""
        self.channel(call).markers[name] = call.whole(0, 14)

    COMMANDS = (
        *SCPI_ERRORS,
        Row("SOURce#:VOLTage", set_voltage),
        Row("SOURce#:VOLTage?", lambda d, c: f"{d.channel(c).fixed:.7g}"),
        Row("SOURce#:VOLTage:LAST?", lambda d, c: f"{d.channel(c).output(d.clock.now()):.7g}"),
        *stored("SOURce#:VOLTage:TRIGgered", "0", number(-10, 10)),
        Row("SOURce#:VOLTage:SLEW", set_slew),
        Row("SOURce#:VOLTage:SLEW?", lambda d, c: f"{d.channel(c).slew:g}"),
        Row("SOURce#:VOLTage:MODE", set_mode),
        Row("SOURce#:VOLTage:MODE?", lambda d, c: d.channel(c).mode),
        Row("SOURce#:RANGe", set_range),
        Row("SOURce#:RANGe?", lambda d, c: d.channel(c).range),
        Row("SOURce#:RANGe:LOW:MINimum?", lambda _d, _c: "-2"),
        Row("SOURce#:RANGe:LOW:MAXimum?", lambda _d, _c: "2"),
        Row("SOURce#:RANGe:HIGH:MINimum?", lambda _d, _c: "-10"),
        Row("SOURce#:RANGe:HIGH:MAXimum?", lambda _d, _c: "10"),
        *stored("SOURce#:FILTer", "HIGH", choice("MEDium", "HIGH")),
        Row("SOURce#:LIST:VOLTage", set_list),
        Row("SOURce#:LIST:VOLTage?", lambda d, c: ",".join(f"{v:.7g}" for v in d.channel(c).list)),
        Row("SOURce#:LIST:POINts?", lambda d, c: str(len(d.channel(c).list))),
        Row("SOURce#:LIST:DWELl", set_dwell),
        Row("SOURce#:LIST:DWELl?", lambda d, c: f"{d.channel(c).dwell:.7g}"),
        Row("SOURce#:LIST:COUNt", set_count),
        Row("SOURce#:LIST:NCLeft?", remaining),
        *stored("SOURce#:LIST:TMODe", "AUTO", choice("AUTO")),
        *stored("SOURce#:LIST:DIRection", "UP", choice("UP")),
        Row("SOURce#:DC:DELay", set_delay),
        Row("SOURce#:DC:TRIGger:SOURce", set_trigger),
        Row("SOURce#:DC:INITiate", initiate),
        Row("SOURce#:DC:INITiate:CONTinuous", set_continuous),
        Row("SOURce#:DC:ABORt", abort),
        Row("SOURce#:ALL:ABORt", abort),
        Row("ABORt", abort_all),
        Row("*TRG", bus_trigger),
        Row("TINT", internal_trigger),
        Row("SOURce#:DC:MARKer:SSTart", lambda d, c: d.marker(c, "SST")),
        Row("SOURce#:DC:MARKer:SEND", lambda d, c: d.marker(c, "SEND")),
        Row("SOURce#:DC:MARKer:STARt", lambda d, c: d.marker(c, "STAR")),
        Row("SOURce#:DC:MARKer:END", lambda d, c: d.marker(c, "END")),
        *stored("OUTPut:TRIGger#:SOURce", "HOLD"),
        *stored("OUTPut:TRIGger#:WIDTh", "1e-06", number(1e-6, 3600)),
        *stored("OUTPut:TRIGger#:POLarity", "NORM", choice("NORMal", "INVerted")),
        *stored("OUTPut:TRIGger#:DELay", "0", number(0, 3600)),
        *CURRENT_METER,
    )

"""How fast the twin's bus is: queries through three libraries, and buffered spectra.

    python benchmarks/bus_speed.py

Medians of the CPU time of this process, which is the real time on a computer with nothing else to do.
Exits with an error if a query takes more than 15 us or a buffered spectrum of 256 points (I and
dI/dV) more than 2 ms. A query that needs physics (OUTP? 1) works out junction and filter since the
last one; that of `FREQ?` is the bus alone.
"""

from __future__ import annotations

import cmath
import io
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qcodes.instrument import Instrument
from qcodes.instrument_drivers.stanford_research import SR830, SR860
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

from drivers.dlpca200 import Dlpca200, Dlpca200Preamplifier
from drivers.mfli import Mfli, MfliLockIn
from drivers.qdac2 import Qdac2Bias
from drivers.sr830 import Sr830LockIn
from drivers.sr860 import Sr860LockIn
from sim.samples.uniform import Uniform
from sim.twin import Twin
from stm_daq.sequencer.sweep import integrated_current
from stm_daq.station.limits import Limits, Range
from stm_daq.station.sessions import sessions_from

QUERY_LIMIT, SPECTRUM_LIMIT = 15e-6, 2e-3
"""Must hold, s."""
POINTS, DWELL, FREQUENCY = 256, 10e-3, 797.0
SR830_ADDRESS, SR860_ADDRESS = "GPIB0::8::INSTR", "TCPIP0::10.0.0.3::inst0::INSTR"
QDAC_ADDRESS, MFLI_HOST = "TCPIP0::10.0.0.1::5025::SOCKET", "10.0.0.4"
DEVICES = {
    "qdac": ("sim.devices.qdac2.Qdac2", QDAC_ADDRESS),
    "sr830": ("sim.devices.sr830.Sr830", SR830_ADDRESS),
    "sr860": ("sim.devices.sr860.Sr860", SR860_ADDRESS),
    "mfli": ("sim.devices.mfli.Mfli", MFLI_HOST),
}
LIMITS = Limits(
    bias=Range(-10e-3, 10e-3, "V"),
    bias_slew=0.2,
    bias_step=1e-3,
    setpoint_current=Range(1e-12, 2e-9, "A"),
    x=Range(-1e-6, 1e-6, "m"),
    y=Range(-1e-6, 1e-6, "m"),
    z=Range(-250e-9, 250e-9, "m"),
    microwave_power=Range(-120.0, -20.0, "dBm"),
)


def make_twin(*names: str) -> Twin:
    """Return a twin with these devices and a sample that is the same everywhere."""
    devices = {name: {"type": DEVICES[name][0]} for name in names}
    addresses = {name: {"address": DEVICES[name][1]} for name in names}
    return Twin({"devices": devices}, addresses, 1.7e9, {"sample": Uniform()})


def median_time(action: Callable[[], Any], batch: int, batches: int) -> float:
    """Return the median over batches of the time of one call, s."""
    for _ in range(batch):
        action()
    found = []
    for _ in range(batches):
        began = time.process_time()
        for _ in range(batch):
            action()
        found.append((time.process_time() - began) / batch)
    return statistics.median(found)


def queries() -> list[tuple[str, float]]:
    """Return what is asked how, and the time of one, s."""
    import pyvisa
    from pymeasure.instruments import srs

    with make_twin("sr830") as twin:
        os.environ["PYVISA_LIBRARY"] = twin.visa_library
        resource = pyvisa.ResourceManager(twin.visa_library).open_resource(SR830_ADDRESS)
        resource.read_termination = "\n"
        theirs = srs.SR830(SR830_ADDRESS, visa_library=twin.visa_library)
        ours = SR830("sr830", SR830_ADDRESS)
        ways = [
            ("raw query, *STB?", lambda: resource.query("*STB?")),
            ("raw query, FREQ?", lambda: resource.query("FREQ?")),
            ("raw query, OUTP? 1 (physics)", lambda: resource.query("OUTP? 1")),
            ("qcodes X()", ours.X),
            ("pymeasure .x", lambda: theirs.x),
        ]
        found = [(name, median_time(action, 200, 25)) for name, action in ways]
        theirs.adapter.close()
        Instrument.close_all()
    return found


def spectrum(lockin_name: str) -> float:
    """Return the time of one buffered spectrum through the drivers of the station, s."""
    with make_twin("qdac", lockin_name) as twin, sessions_from(twin.open_session):
        os.environ["PYVISA_LIBRARY"] = twin.visa_library
        bias = Qdac2Bias(QDac2("qdac", QDAC_ADDRESS), LIMITS, twin.clock, 1, 0.01, 1)
        lockin: Any = {
            "sr830": lambda: Sr830LockIn(SR830("s", SR830_ADDRESS), LIMITS, twin.clock, 1e-4, 3),
            "sr860": lambda: Sr860LockIn(SR860("s", SR860_ADDRESS), LIMITS, twin.clock, 1e-4, 3),
            "mfli": lambda: MfliLockIn(
                Mfli("s", MFLI_HOST, "dev1234"), LIMITS, twin.clock, 1e-4, 1
            ),
        }[lockin_name]()
        preamplifier = Dlpca200Preamplifier(Dlpca200("preamp"), LIMITS, twin.clock)
        response = preamplifier.response(FREQUENCY)
        phase = math.degrees(cmath.phase(response))
        modulation = lockin.configure(FREQUENCY, 140e-6, 3e-3, phase, 10e-3)
        there = np.linspace(4e-3, -4e-3, POINTS - 10)
        volts = np.concatenate([there, np.linspace(-4e-3, 4e-3, 11)[1:]])
        bias.ramp_to(4e-3)
        twin.clock.sleep(0.1)
        twin.world.tip.hold()
        lockin.prepare_buffer()
        bias.prepare_list(volts, DWELL)

        def measure() -> None:
            lockin.start_buffer()
            bias.start_list()
            twin.clock.sleep(len(volts) * DWELL)
            trace = lockin.read_buffer(len(volts))
            conductance = trace.in_phase * math.sqrt(2) / modulation / abs(response)
            current = trace.auxiliary / preamplifier.gain()
            if not lockin.auxiliary_recorded:
                current = integrated_current(volts, conductance, float(current[-1]))
            if not (np.isfinite(current).all() and conductance.max() > 0):
                raise ValueError("a spectrum is not complete")

        found = median_time(measure, 10, 15)
        Instrument.close_all()
    return found


def main() -> int:
    """Measure, print the table, and return the exit code."""
    with redirect_stdout(io.StringIO()):  # greetings of drivers
        asked = queries()
        spectra = [(name, spectrum(name)) for name in ("sr830", "sr860", "mfli")]
    print("| query in this process | median |\n| --- | --- |")
    for name, seconds in asked:
        print(f"| {name} | {seconds * 1e6:.1f} us |")
    print(f"\n| buffered spectrum, {POINTS} points, I and dI/dV | median |\n| --- | --- |")
    for name, seconds in spectra:
        print(f"| QDAC-II and {name} | {seconds * 1e3:.2f} ms |")
    good = asked[1][1] <= QUERY_LIMIT and max(seconds for _, seconds in spectra) <= SPECTRUM_LIMIT
    print("\nok" if good else "\ntoo slow")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""Throw damaged and absurd messages at every simulated VISA device; none may fail.

    python benchmarks/visa_fuzz.py [MESSAGES]

Messages are made from each device's own table of commands, with absurd arguments, then partly mutated;
some are random bytes. Prints for each device how many it answered and refused, and at which it failed.
"""

from __future__ import annotations

import random
import string
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sim.devices.anapico import Apsin12g
from sim.devices.gs200 import Gs200
from sim.devices.lakeshore372 import Lakeshore372
from sim.devices.qdac2 import Qdac2
from sim.devices.scpi import COMMON, Device
from sim.devices.sgs100a import Sgs100a
from sim.devices.smb100a import Smb100a
from sim.devices.sr830 import Sr830
from sim.devices.sr860 import Sr860
from sim.devices.trigger_line import TriggerLine
from sim.fridge import Fridge
from sim.preamplifier import Preamplifier
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.world import World
from stm_daq.clock import VirtualClock

type Maker = Callable[[World], Device]

DEVICES: dict[str, Maker] = {
    "sr830": lambda world: Sr830("sr830", world, TriggerLine()),
    "sr860": lambda world: Sr860("sr860", world, TriggerLine()),
    "qdac2": lambda world: Qdac2("qdac2", world, TriggerLine()),
    "gs200": lambda world: Gs200("gs200", world),
    "ls372": lambda world: Lakeshore372("ls372", world, stage_channel=6),
    "sgs100a": lambda world: Sgs100a("sgs100a", world),
    "smb100a": lambda world: Smb100a("smb100a", world),
    "anapico": lambda world: Apsin12g("anapico", world),
}
ARGUMENTS = (
    *("", "0", "1", "2", "3", "6", "14", "-1", "1.5", "1e-3", "797", "16383", "1000000", "1e308"),
    *("-1e308", "inf", "-inf", "nan", "1e9999", "0x10", "ON", "OFF", "NORM", "LIST", "FIX", "IMM"),
    *("INT1", "x", '"a"', "#14abcd", "#9999999999", "#0", "1 GHz", "5 V", "\xff", "%s", "1;2"),
)
LONGEST = 5.0
"""Longest time between two messages, s."""


@dataclass
class Outcome:
    """What became of the messages to one device."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    """Messages at which the device itself failed, and how."""
    healthy: bool = False
    """Whether it says who it is afterwards."""


def message(device: Device, rng: random.Random) -> bytes:
    """Return one message: sound, absurd, mutated or random."""
    if rng.random() < 0.05:
        return rng.randbytes(rng.randrange(1, 200))
    sent = bytearray(
        ";".join(_unit(device, rng) for _ in range(rng.choice((1, 1, 1, 2)))), "latin-1"
    )
    if rng.random() < 0.3:
        for _ in range(rng.randrange(1, 4)):
            sent[rng.randrange(len(sent))] = rng.randrange(256)
    if rng.random() < 0.05:
        del sent[rng.randrange(len(sent)) :]
    return bytes(sent)


def _unit(device: Device, rng: random.Random) -> str:
    """Return one command of the device's table with arguments that make little sense."""
    pattern = rng.choice((*COMMON, *device.COMMANDS)).pattern
    header = "".join(str(rng.choice((0, 1, 3, 99))) if c == "#" else c for c in pattern)
    arguments = ",".join(rng.choice(ARGUMENTS) for _ in range(rng.choice((0, 1, 1, 2, 3, 5))))
    return f"{header} {arguments}".strip() or rng.choice(string.printable)


def fuzz(name: str, messages: int, seed: int = 1) -> Outcome:
    """Send `messages` to a device of its own world, then look whether it still works."""
    rng = random.Random(f"{name} {seed}")
    world = World(VirtualClock(), seed, Uniform(), Preamplifier(), Fridge(), Tip())
    device = DEVICES[name](world)
    outcome = Outcome()
    for _ in range(messages):
        world.clock.sleep(rng.random() * LONGEST)
        sent = message(device, rng)
        before = len(device.errors)
        try:
            reply = device.handle(sent)
        except Exception as error:  # noqa: BLE001 - that is the question
            outcome.failures.append(f"{sent!r}: {error!r}")
            outcome.counts["failed"] += 1
            continue
        refused = len(device.errors) > before
        outcome.counts["refused" if refused else "answered" if reply else "taken"] += 1
        if len(device.errors) > 1000:
            device.clear_status()
    outcome.healthy = device.handle(b"*IDN?") == device.IDENTITY.encode() + device.TERMINATOR
    return outcome


def main() -> int:
    """Run from the command line; 1 if a device failed."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    failed = False
    print(f"{'device':10}{'answered':>10}{'taken':>10}{'refused':>10}{'failed':>10}")
    for name in DEVICES:
        outcome = fuzz(name, messages)
        columns = (outcome.counts[what] for what in ("answered", "taken", "refused", "failed"))
        print(f"{name:10}" + "".join(f"{count:10d}" for count in columns), flush=True)
        for failure in outcome.failures[:5]:
            print(f"    {failure[:200]}")
        failed = failed or bool(outcome.failures) or not outcome.healthy
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

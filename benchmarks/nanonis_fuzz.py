"""Throw damaged and absurd messages at the served Nanonis controller; it must survive them all.

    python benchmarks/nanonis_fuzz.py [MESSAGES]

Prints how many messages were answered, refused or cost the connection, and whether a healthy
client still works. Ends with 1 if the controller failed or did not answer.
"""

from __future__ import annotations

import logging
import random
import socket
import struct
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sim.devices.nanonis import Nanonis
from sim.fridge import Fridge
from sim.preamplifier import Preamplifier
from sim.samples.uniform import Uniform
from sim.serve.server import Place
from sim.tip import Tip
from sim.world import World
from stm_daq.clock import PacedClock
from stm_daq.protocols import nanonis as protocol
from stm_daq.protocols.nanonis_fields import Layout

PATIENCE = 0.02
"""So long a client waits for an answer before it leaves, s."""
CONNECTIONS = 3000
"""So often a client tries to get in again."""
NUMBERS = {
    "H": (0, 1, 2, 3, 7, 65535),
    "h": (-32768, -1, 0, 1, 2, 32767),
    "I": (0, 1, 2, 5, 2**31, 2**32 - 1),
    "i": (-(2**31), -1, 0, 1, 2, 16, 127, 128, 2**31 - 1),
    "f": (0.0, -1.0, 1e-12, 1e-9, 4e-3, 1.0, 3e38, float("inf"), float("nan")),
    "d": (0.0, -1e-9, 1e-9, 1e308, float("-inf"), float("nan")),
}
TEXTS = (
    "",
    "x",
    "../../etc/x",
    "/",
    "C:\\con",
    "MLS",
    "Linear",
    "%s%n",
    "a\tb\r\n",
    "\0",
    "z" * 255,
)


@dataclass
class Outcome:
    """What became of the messages."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    """Requests at which the controller itself failed, and errors in its log."""
    healthy: bool = False
    """Whether a well-behaved client works on every port afterwards."""


class Logged(logging.Handler):
    """Collects errors that the server logs: defects that no client was told of."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text and what was raised."""
        self.texts.append(f"{record.getMessage()}: {record.exc_info and record.exc_info[1]!r}")


def absurd(layout: Layout, rng: random.Random) -> tuple:
    """Return values that can be encoded but make little sense."""
    count = rng.choice((0, 1, 3))
    values = {}
    for part in layout.fields:
        kind = part.kind
        if part.base == "[]":
            values[part.name] = [rng.choice(NUMBERS[kind[0]]) for _ in range(count)]
            if part.count:
                values[part.count] = count
        elif kind == "str":
            values[part.name] = rng.choice(TEXTS)
        elif kind == "strs":
            values[part.name] = tuple(rng.choice(TEXTS) for _ in range(count))
        else:
            values[part.name] = rng.choice(NUMBERS[kind])
    return tuple(values.values())


def message(rng: random.Random) -> bytes:
    """Return one message: sound, absurd, mutated or random."""
    if rng.random() < 0.05:
        return rng.randbytes(rng.randrange(1, 200))
    command = protocol.COMMANDS[rng.choice(sorted(protocol.COMMANDS))]
    request = bytearray(protocol.encode_request(command.name, *absurd(command.arguments, rng)))
    kind = rng.random()
    if kind < 0.6:
        return bytes(request)
    if kind < 0.8:  # the size is right, the content is not
        body = rng.randbytes(rng.choice((0, 1, 4, 8, 40)))
        request[32:36] = struct.pack(">i", len(body))
        return bytes(request[:40] + body)
    if kind < 0.95:
        for _ in range(rng.randrange(1, 4)):
            request[rng.randrange(len(request))] = rng.randrange(256)
        return bytes(request)
    return bytes(request[: rng.randrange(len(request))])


def exchange(client: socket.socket, request: bytes) -> str:
    """Send one message and return what became of it."""
    try:
        client.sendall(request)
        header = _read(client, protocol.HEADER_SIZE)
        body = _read(client, protocol.body_size(header))
    except TimeoutError:
        return "no answer in time"
    except (OSError, EOFError):
        return "disconnected"
    name = protocol.request_name(header)
    if name not in protocol.COMMANDS:
        return "refused"
    return "refused" if protocol.decode_reply(name, header + body)[1] else "answered"


def fuzz(messages: int, seed: int = 1) -> Outcome:
    """Send `messages` to a served controller, then look whether it still works."""
    rng = random.Random(seed)
    clock = PacedClock(0.0, speed=50.0)
    world = World(clock, seed, Uniform(), Preamplifier(), Fridge(), Tip())
    controller = Nanonis(world)
    servers = controller.servers(Place("127.0.0.1", 0, clock))
    outcome = Outcome()
    logged = Logged(logging.ERROR)
    logging.getLogger().addHandler(logged)
    for server in servers:
        server.start()
    share = messages // len(servers)
    with ThreadPoolExecutor(len(servers)) as pool:
        attacks = [pool.submit(_attack, server.port, share, rng.random()) for server in servers]
    for attack in attacks:
        outcome.counts += attack.result()
    outcome.healthy = all(_healthy(server.port) for server in servers)
    outcome.failures = [*controller.failures, *logged.texts]
    logging.getLogger().removeHandler(logged)
    clock.stop()
    for server in servers:
        server.stop()
    return outcome


def _attack(port: int, messages: int, seed: float) -> Counter[str]:
    """Send messages to one port, connecting anew whenever the connection is lost."""
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    client: socket.socket | None = None
    for _ in range(messages):
        client = client or _connect(port)
        result = exchange(client, message(rng))
        counts[result] += 1
        if result in ("no answer in time", "disconnected"):
            client.close()
            client = None
    if client is not None:
        client.close()
    return counts


def _connect(port: int) -> socket.socket:
    """Connect; the controller may take a moment to notice that the last client left."""
    for _ in range(CONNECTIONS):
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=5.0)
        except OSError:
            time.sleep(PATIENCE)
            continue
        if exchange(client, protocol.encode_request("Bias.Get")) == "answered":
            client.settimeout(PATIENCE)
            return client
        client.close()
        time.sleep(PATIENCE)
    raise ConnectionError(f"port {port} does not let anybody in")


def _healthy(port: int) -> bool:
    client = _connect(port)
    client.settimeout(5.0)
    calls = (("ZCtrl.OnOffGet",), ("Signals.NamesGet",), ("Current.Get",), ("Bias.Set", 1e-3))
    results = [exchange(client, protocol.encode_request(*call)) for call in calls]
    client.close()
    return results == ["answered"] * len(calls)


def _read(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = client.recv(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def main() -> int:
    """Run from the command line."""
    outcome = fuzz(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    for what, count in outcome.counts.most_common():
        print(f"{count:>8} {what}")
    print(f"failures of the controller: {len(outcome.failures)} {outcome.failures[:5]}")
    print(f"a healthy client works afterwards: {'yes' if outcome.healthy else 'NO'}")
    return 0 if outcome.healthy and not outcome.failures else 1


if __name__ == "__main__":
    sys.exit(main())

"""Rubbish at every door: ``python benchmarks/monitor_fuzz.py [--messages 100000]``.

Random frames, and real messages, requests and orders with something changed (lengths, types, shapes,
numbers of frames, nesting), go to the decoder of viewers, the history server, the control server and
the gate. No exception may leave them, nothing may be carried out, and no message may make them
allocate more than the stated bound: 4 MB and twice its size. A part goes over real sockets.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import threading
import tracemalloc
from collections.abc import Callable

import msgspec
import numpy as np
import zmq

from stm_daq.clock import RealClock
from stm_daq.monitor import Operator
from stm_daq.monitor.bodies import Cells, Heartbeat, Hello
from stm_daq.monitor.control import LOCAL, ControlServer
from stm_daq.monitor.gate import Gate
from stm_daq.monitor.history import HistoryServer, Request
from stm_daq.monitor.live import Live
from stm_daq.monitor.messages import Message, MessageError, decode, encode
from stm_daq.monitor.publisher import Publisher
from stm_daq.monitor.refusals import Refusals
from stm_daq.monitor.view import RunView
from stm_daq.records import Event, Frame, RunStarted, Site, Spectrum, TopographRows

CLOCK = RealClock()
BOUND = 4e6
"""Bytes, and twice the size of the message."""
NUMBERS = [0, -1, 1, 2**31, 2**63, 10**30, 1e308, -0.0, 1e-320, float("nan")]


class Nobody:
    """A desk that nothing may reach."""

    def carry_out(self, who, command, argument):
        raise AssertionError(f"carried out: {command} {argument}")

    def report(self, kind, text, data):
        pass


def examples() -> list[list[bytes]]:
    """Frames of real messages."""
    bias = np.linspace(-1, 1, 16)
    place = np.arange(4.0)
    bodies = [
        RunStarted(
            "r", "run", 0.0, "n", "s", "", "", Frame(0, 0, 1, 1), (4, 4), place, place,
            (4, 4), bias, 0.1,
        ),
        Spectrum(Site(5, 1, 1, 0.0, 0.0), 0, 0.0, 1.0, bias, bias, bias, 0.0, 1e-10, 0.5),
        TopographRows(0.0, 0, np.ones((2, 4))),
        Cells(("gap", "z"), np.arange(3.0), np.ones((3, 2))),
        Event(1.0, "guard", "bad", {"guard": "T", "value": None, "good": False}),
        Heartbeat("running"),
    ]  # fmt: skip
    return [encode(Message("r", "b", n, 0.0, body)) for n, body in enumerate(bodies)]


def value(rng: random.Random, depth: int = 0):
    """Return any JSON value."""
    kind = rng.randrange(7 if depth < 4 else 5)
    if kind == 5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 6:
        return {rng.choice("abc"): value(rng, depth + 1) for _ in range(rng.randrange(4))}
    number = rng.choice(NUMBERS)
    return [None, True, number, "x" * rng.choice([0, 1, 70, 70_000]), -number][kind]


def changed(rng: random.Random, packed: bytes) -> bytes:
    """Return JSON with something changed."""
    match rng.randrange(6):
        case 0:
            return packed[: rng.randrange(len(packed) + 1)]
        case 1:
            place = rng.randrange(len(packed))
            return packed[:place] + rng.randbytes(rng.randrange(1, 9)) + packed[place:]
        case 2:
            return rng.choice([b"[", b'{"a":']) * rng.choice([10, 60_000])
        case 3:
            return b"[" + b"{}," * rng.choice([10, 21_000]) + b"{}]"
    fields = json.loads(packed)
    for _ in range(rng.randrange(1, 4)):
        fields[rng.choice([*fields, "new"])] = value(rng)
    if fields.get("arr") and isinstance(fields["arr"], list) and rng.random() < 0.5:
        fields["arr"] = [
            {"name": rng.choice(["z", "bias", "q"]), "dtype": rng.choice(["<f8", "<f4", "|O"]),
             "shape": [rng.choice([0, 1, 4, 10**9, -1]) for _ in range(rng.randrange(4))]}
        ]  # fmt: skip
    return json.dumps(fields).encode()


def message(rng: random.Random, real: list[list[bytes]]) -> list[bytes]:
    """Return the frames of something like a message."""
    if rng.random() < 0.2:
        return [rng.randbytes(rng.randrange(200)) for _ in range(rng.randrange(12))]
    frames = list(rng.choice(real))
    place = rng.randrange(len(frames))
    frames[place] = (
        changed(rng, frames[place]) if place == 1 else rng.randbytes(rng.choice([0, 8, 128, 4096]))
    )
    if rng.random() < 0.1:
        frames.insert(rng.randrange(len(frames)), b"x" * rng.choice([0, 100, 10**6]))
    return frames


class Bench:
    """Feeds a door and keeps the largest excess of memory."""

    def __init__(self, name: str, door: Callable[[list[bytes]], object]) -> None:
        self.name, self._door = name, door
        self.count = self.refused = 0
        self.largest = self.excess = -np.inf

    def feed(self, frames: list[bytes]) -> None:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            self._door(frames)
        except MessageError:
            self.refused += 1
        used = tracemalloc.get_traced_memory()[1] - before
        self.count += 1
        self.largest = max(self.largest, used)
        self.excess = max(self.excess, used - 2 * sum(map(len, frames)) - BOUND)

    def row(self) -> str:
        kept = "yes" if self.excess <= 0 else "NO"
        return (
            f"| {self.name} | {self.count} | {self.refused} | {self.largest / 1e6:.2f} | {kept} |"
        )


def doors() -> tuple[Bench, Bench, Bench, Bench]:
    refusals = Refusals(CLOCK, Nobody().report)
    control = ControlServer("b", CLOCK, refusals, threading.Event(), None)
    control.desk = Nobody()
    live = Live("b")
    history = HistoryServer(Hello("lab", "", 1, 2), live, CLOCK, threading.Event(), None)
    view = RunView()
    view.apply(decode(examples()[0]).body)

    def viewer(frames: list[bytes]) -> None:
        view.apply(decode(frames).body)

    gate = Gate.__new__(Gate)  # without sockets: only what judges
    gate._keys = type("Nobody", (), {"who": lambda *_: ""})()
    gate._refused = lambda text, data: None

    def judge(frames: list[bytes]) -> None:
        answer = gate._judge([b"1.0", b"1", *frames][:12] + [b""] * (6 - len(frames)))
        assert answer[2] == b"400"

    return (
        Bench("viewer: decode and apply", viewer),
        Bench("history: requests", lambda frames: list(history.answer([b"id", *frames]))),
        Bench("control: orders", lambda frames: control.answer([b"id", *frames], LOCAL)),
        Bench("gate: ZAP requests", judge),
    )


def over_sockets(rng: random.Random, count: int) -> int:
    """Send rubbish to a real publisher; return how many it survived."""
    real = examples()
    orders = [b'{"v":2,"command":"abort"}', b'{"v":2,"ask":"run","request":1}']
    context = zmq.Context()
    with Publisher(0) as publisher:
        publisher.attend(Nobody())
        for offset in (1, 2):
            socket = context.socket(zmq.DEALER)
            socket.linger = 0
            socket.connect(f"tcp://127.0.0.1:{publisher._port + offset}")
            for _ in range(count // 2):
                frames = (
                    message(rng, real) if rng.random() < 0.3 else [changed(rng, rng.choice(orders))]
                )
                socket.send_multipart([frame[:9000] for frame in frames] or [b""])
                while socket.poll(0):
                    socket.recv_multipart()
            socket.close()
        operator = Operator(publisher.address)
        assert "token" in operator.send("pause").text, "the control server no longer answers"
        assert all(thread.is_alive() for thread in publisher._threads)
    context.destroy(linger=0)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # refusals are what is asked for
    rng = random.Random(arguments.seed)
    real = examples()
    viewer, history, control, gate = doors()
    orders = [
        b'{"v":2,"command":"abort","argument":"","challenge":"c","mac":"m"}',
        b'{"v":2,"command":"hello"}',
    ]
    request = msgspec.json.encode(Request(2, "run", 1, "b"))
    tracemalloc.start()
    for number in range(arguments.messages):
        kind = number % 10
        if kind < 5:
            viewer.feed(message(rng, real))
        elif kind < 7:
            history.feed([changed(rng, request)])
        elif kind < 9:
            control.feed([changed(rng, rng.choice(orders))])
        else:
            gate.feed([rng.randbytes(rng.randrange(40)) for _ in range(rng.randrange(8))])
    tracemalloc.stop()
    print(
        "| door | messages | refused as no message | largest allocation MB | within 4 MB + 2 x size |"
    )
    print("| --- | ---: | ---: | ---: | --- |")
    for bench in (viewer, history, control, gate):
        print(bench.row())
    sent = over_sockets(rng, max(1000, arguments.messages // 20))
    print(
        f"\nover real sockets: {sent} messages, all servers still answer; nothing was carried out"
    )


if __name__ == "__main__":
    main()

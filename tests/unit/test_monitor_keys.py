"""Keys and who they let in, over real sockets: everybody else is refused and noted."""

from __future__ import annotations

import json
import os
import struct
import threading
from pathlib import Path

import msgspec
import pytest
import zmq

from stm_daq.clock import RealClock, wait_until
from stm_daq.errors import BadInputError
from stm_daq.monitor import Confirmation, Message, Operator, Silence, connect
from stm_daq.monitor.keys import KeyRing, new_keys
from stm_daq.monitor.operator import _Dialogue
from stm_daq.monitor.orders import Answer, Order, hello
from stm_daq.monitor.publisher import Publisher
from stm_daq.records import Event

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")


class Desk:
    """Writes down what reaches a run."""

    def __init__(self):
        self.done = []
        self.reported = []

    def carry_out(self, who, command, argument):
        self.done.append((who, command, argument))
        return Confirmation(True, "done")

    def report(self, kind, text, data):
        self.reported.append((kind, text, dict(data)))


@pytest.fixture
def house(tmp_path):
    """Make a station with a viewer and an operator, each with a folder of their own; and a stranger."""
    ring = KeyRing(tmp_path / "keys")
    for name, level in (("vera", "viewer"), ("otto", "operator"), ("mallory", "")):
        new_keys(tmp_path / name, name)
        if level:
            ring.allow(level, tmp_path / name / f"{name}.pub")
    for name in ("vera", "otto", "mallory"):
        public = (ring.folder / "station.pub").read_text()
        (tmp_path / name / "station.pub").write_text(public)
    return tmp_path


@pytest.fixture
def guarded(house):
    """Return a publisher with keys, and its desk."""
    with Publisher(0, keys=house / "keys") as publisher:
        desk = Desk()
        publisher.attend(desk)
        yield publisher, desk


def key(house, name):
    return house / name / f"{name}.key"


def heard(connection, patience=40):
    """Return the first message, or the last silence."""
    item = None
    with connection:
        for _ in range(patience):
            item = next(connection)
            if isinstance(item, Message) or (isinstance(item, Silence) and item.why):
                return item
    return item


def refusals(desk, patience=5.0):
    wait_until(RealClock(), lambda: desk.reported, patience, 0.02, "nothing was noted")
    return [(text, data) for kind, text, data in desk.reported if kind == "refused"]


@POSIX
def test_secret_keys_are_made_private_and_must_stay_so(tmp_path):
    before = os.umask(0)
    try:
        new_keys(tmp_path, "vera")
    finally:
        os.umask(before)
    secret = tmp_path / "vera.key"
    assert secret.stat().st_mode & 0o777 == 0o600
    secret.chmod(0o640)
    (tmp_path / "station.pub").write_text((tmp_path / "vera.pub").read_text())
    with pytest.raises(BadInputError, match="chmod 600"):
        connect("tcp://127.0.0.1:5550", secret)


@POSIX
@pytest.mark.parametrize(("path", "mode"), [("station.key", 0o644), ("viewers", 0o777)])
def test_a_station_whose_keys_others_may_touch_does_not_start(house, path, mode):
    (house / "keys" / path).chmod(mode)
    with pytest.raises(BadInputError, match="chmod"):
        Publisher(0, keys=house / "keys")


def test_beyond_this_computer_only_with_keys(house):
    for listen in ("0.0.0.0", "::", "192.168.8.1"):
        with pytest.raises(BadInputError, match="without keys"):
            Publisher(0, listen=listen)
    with pytest.raises(BadInputError, match="no address"):
        Publisher(0, listen="everywhere", keys=house / "keys")
    with pytest.raises(BadInputError, match="allow somebody first"):
        Publisher(0, listen="0.0.0.0", keys=house / "none")
    with Publisher(0, listen="0.0.0.0", keys=house / "keys") as publisher:
        assert publisher.address.startswith("tcp://0.0.0.0:")


def test_keys_are_allowed_listed_and_revoked(house):
    ring = KeyRing(house / "keys")
    assert [(e.name, e.level) for e in ring.entries()] == [("vera", "viewer"), ("otto", "operator")]
    with pytest.raises(BadInputError, match="vera is a viewer already"):
        ring.allow("operator", house / "vera" / "vera.pub")
    with pytest.raises(BadInputError, match="secret key"):
        ring.allow("viewer", key(house, "mallory"))
    ring.revoke("vera")
    assert [e.name for e in ring.entries()] == ["otto"]
    with pytest.raises(BadInputError, match="holds no key of vera"):
        ring.revoke("vera")
    with pytest.raises(BadInputError, match="is no name"):
        new_keys(house, "../../etc/passwd")
    with pytest.raises(BadInputError, match="exists already"):
        new_keys(house / "vera", "vera")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b'{"name":"\xff"}', b"{}", b'{"name":"x","public":"y"}', b"[" * 4000],
)
def test_rubbish_in_the_folder_lets_nobody_in(house, content):
    (house / "keys" / "viewers" / "rubbish.pub").write_bytes(content)
    assert len(KeyRing(house / "keys").entries()) == 2


def test_viewers_and_operators_may_watch(guarded, house):
    publisher, desk = guarded
    publisher.publish(Event(1.0, "note", "begin"))
    for name in ("vera", "otto"):
        assert isinstance(heard(connect(publisher.address, key(house, name), tick=0.1)), Message)
    assert desk.reported == []


def test_an_operator_commands_under_the_name_of_the_key(guarded, house):
    publisher, desk = guarded
    operator = Operator(publisher.address, key(house, "otto"))
    assert operator.send("note", "tip looks good") == Confirmation(True, "done")
    assert operator.send("stop").accepted
    assert desk.done == [("otto", "note", "tip looks good"), ("otto", "stop", "")]


def test_a_viewers_key_does_not_command(guarded, house):
    publisher, desk = guarded
    operator = Operator(publisher.address, key(house, "vera"))
    answer = operator.send("abort")
    assert not answer.accepted
    assert "the station refused the key" in answer.text
    text, data = refusals(desk)[0]
    assert "127.0.0.1" in text
    assert "the key of vera as operator" in text
    assert len(data["key"]) == 40
    assert desk.done == []


def test_an_unknown_key_is_refused_and_noted(guarded, house):
    publisher, desk = guarded
    silence = heard(connect(publisher.address, key(house, "mallory"), tick=0.1))
    assert not silence.heard
    assert "the station refused the key" in silence.why
    text, data = refusals(desk)[0]
    assert "the unknown key" in text
    assert data["address"] == "127.0.0.1"
    assert data["key"] == json.loads((house / "mallory/mallory.pub").read_text())["public"]


def test_without_a_key_nobody_is_let_in(guarded):
    publisher, desk = guarded
    silence = heard(connect(publisher.address, tick=0.1))
    assert not silence.heard
    assert "key" in silence.why
    text, data = refusals(desk)[0]
    assert "without a valid key" in text
    assert data["address"] in ("127.0.0.1", "")  # "": the connection was closed too quickly


def test_with_the_key_of_another_station_nobody_is_let_in(guarded, house):
    publisher, desk = guarded
    (house / "vera" / "station.pub").write_text((house / "mallory" / "mallory.pub").read_text())
    silence = heard(connect(publisher.address, key(house, "vera"), tick=0.1))
    assert not silence.heard
    assert silence.why
    assert "without a valid key" in refusals(desk)[0][0]


def test_an_operator_who_was_revoked_no_longer_commands(guarded, house):
    publisher, desk = guarded
    operator = Operator(publisher.address, key(house, "otto"))
    assert operator.send("pause").accepted
    KeyRing(house / "keys").revoke("otto")
    answer = operator.send("abort")
    assert not answer.accepted
    assert "the station refused the key" in answer.text
    assert len(desk.done) == 1
    # nor over a connection from before
    server = publisher._control
    offered = msgspec.json.decode(server.answer([b"old", hello()], "otto"), type=Answer)
    order = msgspec.json.encode(Order(2, "abort", "", offered.challenge))
    assert b"no longer" in server.answer([b"old", order], "otto")
    assert len(desk.done) == 1


def test_a_viewer_who_was_revoked_is_shown_out_and_the_others_come_back(guarded, house):
    publisher, _ = guarded
    with (
        connect(publisher.address, key(house, "vera"), tick=0.1) as gone,
        connect(publisher.address, key(house, "otto"), tick=0.1) as kept,
    ):
        assert isinstance(next(i for i in gone if isinstance(i, Message)), Message)
        KeyRing(house / "keys").revoke("vera")
        assert next(i for i in gone if isinstance(i, Silence) and i.why).heard
        boot = publisher._live.boot
        seq = publisher._live.seq
        assert next(i for i in kept if isinstance(i, Message) and i.seq > seq).boot == boot


def test_a_flood_of_refusals_does_not_flood_the_journal(guarded):
    publisher, desk = guarded
    for _ in range(200):
        publisher._refusals.note("somebody", {})
    assert publisher._refusals.count == 200
    assert len(desk.reported) <= 6


@pytest.fixture
def local(tmp_path, run):
    """Return a publisher without keys, its desk, and a socket that speaks to its control."""
    (tmp_path / "run-1").mkdir()
    with Publisher(0, runs=tmp_path) as publisher:
        desk = Desk()
        publisher.attend(desk)
        publisher.publish(run.started())
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.connect(f"tcp://127.0.0.1:{publisher._port + 2}")
        yield publisher, desk, socket
        context.destroy(linger=0)


def ask(socket, frame) -> Answer:
    socket.send(frame)
    assert socket.poll(5000)
    return msgspec.json.decode(socket.recv(), type=Answer)


def test_on_this_computer_the_runs_token_commands(local, tmp_path):
    publisher, desk, _ = local
    token = tmp_path / "run-1" / "monitor.json"
    if os.name == "posix":
        assert token.stat().st_mode & 0o777 == 0o600
    operator = Operator(publisher.address)
    assert operator.send("pause").accepted
    assert desk.done == [("somebody at this computer", "pause", "")]
    publisher.close()
    assert not token.exists()


@POSIX
def test_a_token_that_others_can_read_is_not_used(local, tmp_path):
    publisher, desk, _ = local
    (tmp_path / "run-1" / "monitor.json").chmod(0o644)
    operator = Operator(publisher.address)
    answer = operator.send("pause")
    assert not answer.accepted
    assert "chmod 600" in answer.text
    assert desk.done == []


def test_a_forged_order_is_refused(local):
    _, desk, socket = local
    offered = ask(socket, hello())
    order = Order(2, "abort", "", offered.challenge, "0" * 64)
    answer = ask(socket, msgspec.json.encode(order))
    assert not answer.accepted
    assert "token" in answer.text
    assert "command 'abort'" in refusals(desk)[0][0]
    assert desk.done == []


def test_a_replayed_order_is_refused(local, monkeypatch):
    publisher, desk, socket = local
    sent = []
    original = _Dialogue.ask
    monkeypatch.setattr(
        _Dialogue, "ask", lambda self, order: sent.append(order) or original(self, order)
    )
    assert Operator(publisher.address).send("stop").accepted
    for frame in (sent[1], sent[1]):
        assert not ask(socket, frame).accepted  # from elsewhere, without and with a challenge
    assert [text for text, _ in refusals(desk)]
    assert desk.done == [("somebody at this computer", "stop", "")]


def test_a_challenge_is_good_for_one_command_only_and_not_for_long(local, monkeypatch):
    publisher, desk, socket = local
    token = publisher._control.token
    from stm_daq.monitor.orders import signature

    def signed(offered, command):
        order = Order(2, command, "", offered.challenge)
        return msgspec.json.encode(
            msgspec.structs.replace(order, mac=signature(token, offered.boot, order))
        )

    frame = signed(ask(socket, hello()), "pause")
    assert ask(socket, frame).accepted
    assert not ask(socket, frame).accepted
    late = signed(ask(socket, hello()), "pause")
    monkeypatch.setattr("stm_daq.monitor.control.GOOD_FOR", -1.0)
    assert not ask(socket, late).accepted
    assert len(desk.done) == 1


def test_commands_are_rate_limited_and_unknown_ones_refused(local):
    publisher, desk, _ = local
    operator = Operator(publisher.address)
    assert "no such command" in operator.send("eval", "1").text
    answers = [operator.send("note", str(number)).accepted for number in range(14)]
    assert 9 <= sum(answers) <= 11
    assert len(desk.done) == sum(answers)


def test_an_operator_lost_in_the_middle_of_a_command_changes_nothing(local):
    publisher, desk, socket = local
    offered = ask(socket, hello())
    order = msgspec.json.encode(Order(2, "abort", "x" * 500, offered.challenge))
    import socket as net

    with net.create_connection(("127.0.0.1", publisher._port + 2)) as raw:
        raw.sendall(GREETING + READY + b"\x02" + struct.pack(">Q", len(order)) + order[:200])
    assert ask(socket, hello()).accepted  # it still answers
    assert desk.done == []


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
"""Of ZMTP 3.0 with the NULL mechanism (rfc.zeromq.org/spec/23)."""
READY = (
    b"\x04\x1a\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"[:2]
    + b"\x05READY"
    + (b"\x0bSocket-Type\x00\x00\x00\x06DEALER")
)


def test_rubbish_on_the_sockets_disturbs_nobody(local):
    publisher, desk, socket = local
    import socket as net

    for port in range(publisher._port, publisher._port + 3):
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 300, GREETING + b"\x02" + b"\xff" * 8):
            with net.create_connection(("127.0.0.1", port)) as raw:
                raw.sendall(rubbish)
    for frame in (b"", b"\x00", b"{}", b"[" * 5000, b'{"v":2,"command":"abort"}'):
        assert not ask(socket, frame).accepted
    assert desk.done == []
    assert isinstance(heard(connect(publisher.address, tick=0.1)), Message)
    assert all(thread.is_alive() for thread in publisher._threads)


def test_who_connects_and_says_nothing_is_shown_out(monkeypatch):
    monkeypatch.setattr("stm_daq.monitor.publisher.HANDSHAKE", 300)
    import socket as net

    with Publisher(0) as publisher:
        for port in range(publisher._port, publisher._port + 3):
            with net.create_connection(("127.0.0.1", port), timeout=20) as raw:
                while raw.recv(1000):  # its greeting; nothing more when it has hung up
                    pass


def test_the_same_address_may_be_tried_by_many_threads(local):
    publisher, _, _ = local
    results = []

    def try_it():
        operator = Operator(publisher.address)
        results.append(operator.send("continue").accepted)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [True] * 4


class Slow:
    """A control socket that loses what it is told to lose, and answers late."""

    def __init__(self, publisher, lose=0):
        self._answer, self.lose, self.asked = publisher._control.answer, lose, []
        publisher._control.answer = self

    def __call__(self, frames, who):
        command = msgspec.json.decode(frames[1])["command"]
        self.asked.append(command)
        if command != "hello" and self.lose:
            self.lose -= 1
            return b"lost"  # no answer that could be understood
        return self._answer(frames, who)


def test_an_order_that_was_lost_is_sent_again_but_a_note_is_not(local):
    publisher, desk, _ = local
    slow = Slow(publisher, lose=1)
    assert Operator(publisher.address).send("pause").accepted
    assert desk.done == [("somebody at this computer", "pause", "")]
    slow.lose = 1
    answer = Operator(publisher.address).send("note", "tip looks good")
    assert not answer.accepted
    assert "not known what became of it" in answer.text
    assert len(desk.done) == 1
    assert slow.asked == ["hello", "pause", "hello", "pause", "hello", "note"]


def test_a_late_answer_is_not_taken_for_that_to_the_next_order(local, monkeypatch):
    """Else "welcome" would be shown as the run's answer to a pause that it has refused."""
    publisher, desk, _ = local
    operator = Operator(publisher.address)
    answer, first = publisher._control.answer, []

    def late(frames, who):
        if not first:
            first.append(RealClock().sleep(0.6))
        return answer(frames, who)

    publisher._control.answer = late
    monkeypatch.setattr("stm_daq.monitor.operator._PATIENCE", 0.3)
    assert "nothing was sent" in operator.send("pause").text
    monkeypatch.setattr("stm_daq.monitor.operator._PATIENCE", 5.0)
    assert operator.send("pause") == Confirmation(True, "done")
    assert [command for _, command, _ in desk.done] == ["pause"]


def test_the_token_is_found_from_another_folder(tmp_path, run, monkeypatch):
    (tmp_path / "runs" / "run-1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with Publisher(0, runs=Path("runs")) as publisher:
        publisher.attend(desk := Desk())
        publisher.publish(run.started())
        monkeypatch.chdir("/")
        assert Operator(publisher.address).send("pause").accepted
    assert len(desk.done) == 1

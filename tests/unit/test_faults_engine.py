"""When faults strike, what they make of replies, and how station.yaml asks for them."""

import numpy as np
import pytest

from sim.faults import KINDS, Fault, Faults
from sim.faults_block import read_faults
from sim.faults_bytes import spoilt
from stm_daq.clock import VirtualClock
from stm_daq.protocols import nanonis as protocol

DEVICES = {"sr830": {}, "qdac": {}}


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def faults(clock):
    rng = np.random.default_rng(5)
    return Faults(clock, lambda: rng)


def strikes(faults, device, count):
    return [k for k in range(1, count + 1) if faults.strike(device) is not None]


def test_a_count_is_of_the_messages_to_the_device_since_it_was_added(faults):
    faults.strike("sr830")
    faults.add("lost", "sr830", count=2, times=2)
    faults.add("late", count=5)
    assert strikes(faults, "qdac", 1) == []
    assert strikes(faults, "sr830", 6) == [2, 3, 4]  # 4: the fifth message of the station


def test_a_time_strikes_the_next_message(faults, clock):
    faults.add("lost", at=10.0)
    assert strikes(faults, "sr830", 3) == []
    clock.sleep(10.0)
    assert strikes(faults, "sr830", 3) == [1]


def test_a_probability_is_kept_and_the_same_for_the_same_seed(clock):
    def run():
        rng = np.random.default_rng(7)
        made = Faults(clock, lambda: rng)
        made.add("lost", probability=0.1)
        return strikes(made, "sr830", 2000)

    first = run()
    assert 150 < len(first) < 250
    assert run() == first


def test_a_state_lasts(faults, clock):
    faults.add("overload", "sr830", at=5.0, lasting=3.0)
    faults.add("stuck", "qdac", count=1, lasting=2.0)
    assert faults.strike("qdac") is None
    assert faults.active("stuck", "qdac")
    assert not faults.active("overload", "sr830")
    clock.sleep(6.0)
    assert faults.active("overload", "sr830")
    assert not faults.active("overload", "qdac")
    assert not faults.active("stuck", "qdac")
    clock.sleep(4.0)
    assert not faults.active("overload", "sr830")
    assert faults.active("overload", "sr830", since=7.0)
    assert not faults.active("overload", "sr830", since=8.0)
    times = np.array([4.0, 5.0, 7.9, 8.0])
    assert faults.during("overload", "sr830", times).tolist() == [False, True, True, False]


def test_history_tells_what_happened_and_when(faults, clock):
    faults.add("overload", "sr830", at=5.0)
    faults.add("stale", at=1e6)
    faults.add("lost", count=1)
    clock.sleep(7.0)
    faults.happened(faults.strike("qdac"), "qdac")
    expected = [
        {"what": "fault: overload", "device": "sr830", "time": 5.0},
        {"what": "fault: lost", "device": "qdac", "time": 7.0},
    ]
    assert faults.history() == expected
    faults.clear()
    assert not faults.active("overload", "sr830")
    assert faults.history() == expected


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "lots", "count": 1}, "unknown fault 'lots'; there is lost, late"),
        ({"kind": "lost"}, "exactly one of at, count and probability"),
        ({"kind": "lost", "count": 1, "at": 2.0}, "exactly one of"),
        ({"kind": "lost", "count": 0}, "counted from 1"),
        ({"kind": "lost", "probability": 1.5}, "not within 0 to 1"),
        ({"kind": "lost", "count": 1, "times": 0}, "must be positive"),
    ],
)
def test_what_makes_no_sense_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        Fault(**options)


def test_replies_are_spoilt():
    def arrives(kind, reply):
        return spoilt(reply, Fault(kind=kind, count=1), np.random.default_rng(1))

    assert arrives("lost", b"1.25\n") == b""
    assert arrives("partial", b"1.25\n") == b"1."
    assert arrives("refusal", b"1.25\n") == b"1.25\n"
    assert arrives("nan", b"+1.25E-3,7\r\n") == b"NAN,NAN\r\n"
    garbled = arrives("garbled", b"1.25\n")
    assert sum(a != b for a, b in zip(garbled, b"1.25\n", strict=True)) == 1


def test_a_reply_of_nanonis_keeps_its_form_without_numbers():
    fault = Fault(kind="nan", count=1)
    reply = protocol.encode_reply("FolMe.XYPosGet", (1e-9, 2e-9))
    values, error = protocol.decode_reply("FolMe.XYPosGet", spoilt(reply, fault, None))
    assert np.isnan(values).all()
    assert error == ""
    refused = protocol.encode_reply("FolMe.XYPosGet", error="no")
    assert spoilt(refused, fault, None) == refused


def test_the_block_is_read():
    found, mistakes = read_faults(
        [
            {"kind": "lost", "device": "sr830", "count": 7},
            {"kind": "stale", "at": "6 hour", "lasting": "20 min"},
            {"kind": "garbled", "probability": 1e-4},
        ],
        DEVICES,
    )
    assert mistakes == []
    assert found == [
        Fault(kind="lost", device="sr830", count=7),
        Fault(kind="stale", at=6 * 3600.0, lasting=1200.0),
        Fault(kind="garbled", probability=1e-4),
    ]
    assert read_faults(None, DEVICES) == ([], [])


def test_every_mistake_in_the_block_is_found():
    _, mistakes = read_faults(
        [
            {"kind": "lost", "cuont": 7},
            {"count": 7},
            {"kind": "lost", "device": "sr860", "count": 7},
            {"kind": "lost", "at": 7},
            {"kind": "lost", "count": "many"},
            {"kind": "lost", "count": True},
            {"kind": "gone", "count": 1},
        ],
        DEVICES,
    )
    places = [path for path, _ in mistakes]
    assert places == [
        ("0", "cuont"),
        ("1",),
        ("2", "device"),
        ("3", "at"),
        ("4", "count"),
        ("5", "count"),
        ("6",),
    ]
    assert "there is kind, device, at" in mistakes[0][1]
    assert read_faults({"kind": "lost"}, DEVICES)[1][0][0] == ()
    assert len(KINDS) == 18

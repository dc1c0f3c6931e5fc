"""Every fault at the transports: a typed error within the deadline, and the next call works."""

from contextlib import suppress

import pytest

from stm_daq.errors import DeadlineError, InstrumentError

DEADLINE = 40.0
"""Longest time that any call may take, a clear and a new connection included, s."""
TRANSPORT = ("lost", "late", "partial", "garbled", "nan", "refusal", "dropped", "refused", "hang")


@pytest.fixture
def station(twin):
    """Return the instruments of the reference station that answer a harmless question."""
    from qcodes.instrument_drivers.stanford_research import SR830
    from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

    from drivers.lakeshore372 import Lakeshore372
    from drivers.nanonis import NanonisController
    from drivers.visa_errors import ask_number
    from stm_daq.station.streams import streams_from

    with streams_from(twin.open_stream):
        lockin = SR830("sr830", "GPIB0::8::INSTR")
        bridge = Lakeshore372("ls372", "GPIB0::12::INSTR")
        qdac = QDac2("qdac", "TCPIP0::192.168.8.17::5025::SOCKET")
        nanonis = NanonisController("nanonis", "127.0.0.1", 6501)
        yield {
            "sr830": lambda: ask_number(lockin, "SLVL?"),
            "ls372": lambda: ask_number(bridge, "KRDG? 6"),
            "qdac": lambda: ask_number(qdac, "sour1:volt:slew?"),
            "nanonis": lambda: nanonis.call("ZCtrl.SetpntGet")[0],
        }


@pytest.mark.parametrize("device", ["sr830", "ls372", "qdac", "nanonis"])
@pytest.mark.parametrize("kind", TRANSPORT)
def test_a_fault_is_a_typed_error_in_time_and_the_next_call_works(twin, station, kind, device):
    ask = station[device]
    healthy = ask()
    twin.faults.add(kind, device, count=1, lasting=9.0)
    began = twin.clock.now()
    with suppress(InstrumentError):
        found = ask()  # Nanonis is asked once more; a byte may change nothing
        assert kind in ("garbled", "nan") or found == pytest.approx(healthy, rel=1e-3)
    assert twin.clock.now() - began < DEADLINE
    assert [e["what"] for e in twin.faults.history()] == [f"fault: {kind}"]
    twin.clock.sleep(20.0)
    assert ask() == pytest.approx(healthy, rel=1e-2)
    assert ask() == pytest.approx(healthy, rel=1e-2)


def test_a_late_reply_never_answers_the_next_question(twin, station):
    """On a socket there is no bus clear: the connection is made anew."""
    from qcodes.instrument import Instrument

    from drivers.visa_errors import ask_number

    qdac = Instrument.find_instrument("qdac")
    twin.faults.add("late", "qdac", count=1, lasting=6.0)
    with pytest.raises(DeadlineError):
        ask_number(qdac, "sour1:volt:slew?")
    twin.clock.sleep(2.0)
    assert ask_number(qdac, "sour1:volt?") == 0.0


def test_a_board_hangs_with_all_its_instruments(twin, station):
    twin.faults.add("hang", "sr830", count=1, lasting=30.0)
    for device in ("sr830", "ls372"):
        with pytest.raises(DeadlineError):
            station[device]()
    station["qdac"]()
    station["nanonis"]()
    twin.clock.sleep(30.0)
    station["ls372"]()
    station["sr830"]()


def test_history_has_tip_and_faults_in_order(twin, station):
    twin.faults.add("stale", "ls372", at=twin.clock.now() + 1.0)
    twin.clock.sleep(2.0)
    times = [event["time"] for event in twin.history()]
    assert times == sorted(times)
    assert [event["what"] for event in twin.history()] == ["start", "fault: stale"]


def test_faults_in_the_simulation_block(make_twin):
    made = make_twin(faults=[{"kind": "overload", "device": "sr830", "at": "1 s"}])
    made.clock.sleep(2.0)
    assert made.faults.active("overload", "sr830")
    from sim.twin import Twin

    wrong = {
        "sample": {"type": "sim.samples.uniform.Uniform"},
        "faults": [{"kind": "gone", "at": "1 s"}],
    }
    assert [path for path, _ in Twin.check(wrong, {})] == [("faults", "0")]

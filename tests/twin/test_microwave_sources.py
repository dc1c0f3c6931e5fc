"""Microwave sources on the twin: power in steps, limits, safe state, flags, lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stm_daq.errors import InstrumentError, OutOfRangeError

SOURCES = {
    "drivers.sgs100a.Sgs100aSource": "sgs100a",
    "drivers.smb100a.Smb100aSource": "smb100a",
    "drivers.anapico.AnapicoSource": "anapico",
}
SMB = "drivers.smb100a.Smb100aSource"


@pytest.fixture(params=SOURCES)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def powers(house: Any, name: str, do: Any) -> list[float]:
    """Return every power that the output really had while something was done."""
    device, seen = house.twin.device(name), []
    original = device.handle

    def watched(message: bytes) -> bytes | None:
        reply = original(message)
        emitted = device.emitted(house.twin.clock.now())
        seen.append(-np.inf if emitted is None else emitted[1])
        return reply

    device.handle = watched
    do()
    device.handle = original
    return seen


def test_power_grows_in_steps_and_falls_at_once(house: Any, path: str) -> None:
    source = house.adapt(path, largest_step=2.0)
    name = SOURCES[path]
    lowest = max(-120.0, source._source.power.validators[0].valid_values[0])
    first = powers(house, name, source.on)
    assert max(first) == lowest
    up = powers(house, name, lambda: source.set_power(-20.0))
    assert max(np.diff([lowest, *up])) <= 2.0 + 1e-9
    assert source.power() == pytest.approx(-20.0)
    down = powers(house, name, lambda: source.set_power(lowest))
    assert set(down) == {-20.0, lowest}


def test_a_plan_narrows_the_steps_but_never_widens_them(house: Any, path: str) -> None:
    source = house.adapt(path, largest_step=2.0)
    source.limit_steps(0.5)
    source.on()
    source.set_power(-26.0)
    up = powers(house, SOURCES[path], lambda: source.set_power(-24.0))
    assert max(np.diff([-26.0, *up])) == pytest.approx(0.5)
    with pytest.raises(OutOfRangeError, match="up to 2 dB"):
        source.limit_steps(3.0)


def test_power_and_frequency_reach_the_tip(house: Any, path: str) -> None:
    source, world = house.adapt(path), house.twin.world
    source.set_frequency(7.3e9)
    source.on()
    source.set_power(-25.0)
    assert source.frequency() == 7.3e9
    expected = 1e-3 * 10 ** ((-25.0 - world.line.loss(7.3e9)) / 10)
    assert world.microwave_power(house.twin.clock.now()) == pytest.approx(expected)
    source.off()
    assert world.microwave_power(house.twin.clock.now()) == 0.0


def test_it_is_off_even_if_it_does_not_tell_its_power(house: Any, path: str) -> None:
    source, device = house.adapt(path), house.twin.device(SOURCES[path])
    source.on()
    original = device.handle
    device.handle = lambda message: (
        None if b"POW" in message and b"?" in message else original(message)
    )
    with pytest.raises(InstrumentError):
        source.off()
    assert device.emitted(house.twin.clock.now()) is None


def test_above_the_limit_it_is_off_and_told(house: Any, path: str) -> None:
    source = house.adapt(path)
    source.on()
    source._source.power(-10.0)
    with pytest.raises(OutOfRangeError, match="it is off now"):
        source.off()
    assert not source.is_on()


FAULTS = [
    ("sgs100a", 50, "Extern reference out of range or disconnected", ("unlock",)),
    ("sgs100a", 110, "Output unleveled", ("unlevelled",)),
    ("smb100a", 70, "PLL unlocked", ("unlock",)),
    ("smb100a", 180, "Adjustment failed", ("microwave_fault",)),
    ("anapico", 32, "", ("unlock",)),
    ("anapico", 8, "", ("unlevelled",)),
    ("anapico", 256, "", ("microwave_fault",)),
]


@pytest.mark.parametrize(("name", "code", "text", "flags"), FAULTS)
def test_what_is_wrong_with_the_output_is_flagged(
    house: Any, name: str, code: int, text: str, flags: tuple[str, ...]
) -> None:
    source = house.adapt({value: key for key, value in SOURCES.items()}[name])
    assert source.flags() == ()
    house.twin.device(name).static_errors[code] = text
    assert source.flags() == flags
    assert source.flags() == flags  # the level, not the edge


# -- lists of the SMB100A ---------------------------------------------------------------------


@pytest.fixture
def smb(house: Any) -> Any:
    source = house.adapt(SMB)
    source.set_frequency(6e9)
    source.on()
    return source


def test_a_list_is_carried_out_in_time(house: Any, smb: Any) -> None:
    device, clock = house.twin.device("smb100a"), house.twin.clock
    there_and_back = np.concatenate([np.arange(-60.0, -40.0), np.arange(-40.0, -61.0, -1.0)])
    smb.prepare_list(there_and_back, 0.1)
    assert device.emitted(clock.now()) == (6e9, -60.0)
    began = clock.now()
    assert smb.start_list() == pytest.approx(0.1 * len(there_and_back))
    began = clock.now() - 0.5e-3
    for index in (3, 19, 30):
        clock.sleep(began + 0.1 * index + 0.05 - clock.now())
        assert device.emitted(clock.now()) == (6e9, there_and_back[index])
    clock.sleep(10.0)
    smb.end_list()
    assert device.emitted(clock.now()) == (6e9, -60.0)
    assert smb.power() == -60.0
    assert device.errors == []


def test_a_list_that_is_broken_off_ends_at_its_lowest_power(house: Any, smb: Any) -> None:
    smb.prepare_list(np.arange(-50.0, -40.0), 1.0)
    smb.start_list()
    house.twin.clock.sleep(5.0)
    smb.end_list()
    assert smb.power() == -50.0


@pytest.mark.parametrize(
    ("powers_of_list", "dwell"),
    [([-60.0, -50.0], 0.1), ([-60.0, -19.0], 0.1), ([-60.0], 1e-5), ([], 0.1), ([np.nan], 0.1)],
)
def test_a_list_that_is_not_allowed_is_refused(
    house: Any, smb: Any, powers_of_list: list[float], dwell: float
) -> None:
    before = house.twin.transactions()
    with pytest.raises(OutOfRangeError, match="nothing was sent"):
        smb.prepare_list(np.array(powers_of_list), dwell)
    assert house.twin.transactions() == before


def test_in_list_mode_no_power_is_set(smb: Any) -> None:
    smb.prepare_list(np.array([-60.0, -59.0]), 0.1)
    with pytest.raises(InstrumentError, match="LIST mode"):
        smb.set_power(-70.0)
    smb.off()
    assert not smb.is_on()
    assert smb._mode() == "CW"


def test_a_film_that_feels_microwaves_gets_hot(
    make_twin: Any, station_blocks: Any, limits: Any
) -> None:
    """Power of the source, loss of the line, electron temperature of the film: one chain."""
    from qcodes.instrument import Instrument
    from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzSGS100A

    from drivers.sgs100a import Sgs100aSource
    from sim.samples.microwave import InoxFilm

    twin = make_twin(sample=InoxFilm(), fridge={"temperature": "0.5 K"})
    with pytest.MonkeyPatch.context() as patch, twin:
        patch.setenv("PYVISA_LIBRARY", twin.visa_library)
        driver = RohdeSchwarzSGS100A("sgs100a", station_blocks["instruments"]["sgs100a"]["address"])
        source = Sgs100aSource(driver, limits, twin.clock)
        found = []
        for dbm in (None, -60.0, -20.0):
            if dbm is not None:
                source.on()
                source.set_power(dbm)
            twin.world.tip.release()
            twin.world.tip.hold()
            found.append(twin.truth())
        Instrument.close_all()
    expected = twin.world.line.power_at_tip(1e9, -20.0)
    assert found[0]["microwave_power"] == 0.0
    assert found[2]["microwave_power"] == pytest.approx(expected)
    gaps = [truth["gap"] for truth in found]
    assert gaps[0] >= gaps[1] > 1.01 * gaps[2]

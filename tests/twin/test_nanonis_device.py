"""The simulated Nanonis controller as a client sees it: bytes, time, and odd requests."""

from __future__ import annotations

import numpy as np
import pytest

from sim.devices.nanonis import Nanonis
from sim.devices.nanonis_signals import NAMES
from stm_daq.protocols import nanonis as protocol


@pytest.fixture
def rig(make_world):
    """Return (world, device, call) where call returns (values, error)."""
    world = make_world()
    device = Nanonis(world, latency=1e-3)
    stream = device.connect()
    stream.set_timeout(100.0)

    def call(name, *arguments):
        stream.send(protocol.encode_request(name, *arguments))
        header = stream.receive(protocol.HEADER_SIZE)
        return protocol.decode_reply(name, header + stream.receive(protocol.body_size(header)))

    return world, device, call


def test_every_command_of_the_table_has_its_method(rig):
    _, device, _ = rig
    assert set(device._methods) == set(protocol.COMMANDS)


def test_an_unknown_command_gets_an_error_and_the_connection_stays(rig):
    _, device, call = rig
    stream = device.connect()
    stream.send(b"No.Such".ljust(32, b"\0") + bytes([0, 0, 0, 0, 0, 1, 0, 0]))
    reply = stream.receive(40)
    body = stream.receive(protocol.body_size(reply))
    assert protocol.request_name(reply) == "No.Such"
    assert body[:4] == b"\0\0\0\1"
    assert b"unknown command 'No.Such'" in body
    assert call("Bias.Get") == ((0.0,), "")


def test_damaged_arguments_get_an_error(rig):
    _, device, _ = rig
    request = protocol.encode_request("Bias.Set", 0.1)
    short = request[:32] + (2).to_bytes(4, "big") + request[36:42]
    assert "damaged message" in protocol.decode_reply("Bias.Set", device.handle(short))[1]


def test_a_request_may_arrive_in_pieces_or_together_with_another(rig):
    _, device, _ = rig
    stream = device.connect()
    request = protocol.encode_request("Bias.Get")
    stream.send(request[:10])
    stream.send(request[10:] + request)
    reply = protocol.encode_reply("Bias.Get", (0.0,))
    assert stream.receive(2 * len(reply)) == 2 * reply


def test_no_reply_is_sent_to_who_wants_none(rig):
    world, device, _ = rig
    stream = device.connect()
    stream.set_timeout(2.0)
    stream.send(protocol.encode_request("Bias.Set", 0.5, respond=False))
    start = world.clock.now()
    with pytest.raises(TimeoutError):
        stream.receive(40)
    assert world.clock.now() - start == 2.0
    assert float(world.bias(np.array([world.clock.now()]))[0]) == pytest.approx(0.504)


def test_every_request_costs_the_latency_and_is_counted(rig):
    world, device, call = rig
    before = world.clock.now(), device.transactions
    for _ in range(10):
        call("Bias.Get")
    assert world.clock.now() - before[0] == pytest.approx(10e-3)
    assert device.transactions - before[1] == 10


def test_a_reply_after_the_timeout_is_late_and_stays_in_the_stream(rig):
    _, device, _ = rig
    stream = device.connect()
    stream.set_timeout(1.0)
    stream.send(protocol.encode_request("FolMe.XYPosSet", 1e-6, 0.0, 1))
    with pytest.raises(TimeoutError, match="after the time-out"):
        stream.receive(40)
    assert protocol.request_name(stream.receive(40)) == "FolMe.XYPosSet"


def test_a_closed_connection_refuses(rig):
    _, device, call = rig
    stream = device.connect()
    stream.close()
    stream.close()
    with pytest.raises(ConnectionError):
        stream.send(b"")
    with pytest.raises(ConnectionError):
        stream.receive(1)
    assert call("Bias.Get")[1] == ""


def test_signal_numbers_are_those_of_the_vendors_examples(rig):
    _, _, call = rig
    ((names,), _) = call("Signals.NamesGet")
    assert names == NAMES
    assert len(names) == 128
    assert (names[0], names[24], names[30]) == ("Current (A)", "Bias (V)", "Z (m)")
    assert call("Signals.ValGet", 128, 0)[1].startswith("Signal numbers")


def test_fresh_signals_take_two_acquisition_periods(rig):
    world, _, call = rig
    start = world.clock.now()
    call("Signals.ValsGet", [0, 30], 1)
    assert world.clock.now() - start == pytest.approx(2 * 20e-3 + 1e-3)


def test_the_current_has_the_noise_of_preamplifier_and_shot_noise_over_one_period(rig):
    world, _, call = rig
    readings = np.array([call("Current.Get")[0][0] for _ in range(2000)])
    density = float(world.current_noise_density(np.array([0.0]))[0])
    assert readings.mean() == pytest.approx(100e-12, rel=1e-3)
    assert readings.std() == pytest.approx(density * np.sqrt(1 / (2 * 20e-3)), rel=0.1)


def test_line_ends_are_reported_as_on_a_real_controller(rig):
    """The way to the start first, then every line there and back, counted from 1."""
    _, _, call = rig
    call("Scan.BufferSet", [30], 16, 2)
    call("Scan.SpeedSet", 0.0, 0.0, 2.0, 1.0, 2, 1.0)
    call("Scan.Action", 0, 1)
    ends = [call("Scan.WaitEndOfLine", 20_000)[0] for _ in range(5)]
    assert [(line, movement) for _, line, movement, _ in ends] == [
        (-1, 3),
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    assert call("Scan.StatusGet")[0] == (0,)


def test_waiting_for_a_line_gives_up_at_its_timeout(rig):
    world, _, call = rig
    call("Scan.SpeedSet", 0.0, 0.0, 10.0, 10.0, 2, 1.0)
    call("Scan.Action", 0, 1)
    call("Scan.WaitEndOfLine", -1)
    start = world.clock.now()
    assert call("Scan.WaitEndOfLine", 1000)[0][0] == 1
    assert world.clock.now() - start == pytest.approx(1.0, abs=0.01)


def test_waiting_for_the_scan(rig):
    _, _, call = rig
    call("Scan.BufferSet", [30], 16, 4)
    call("Scan.SpeedSet", 0.0, 0.0, 1.0, 1.0, 2, 1.0)
    call("Scan.Action", 0, 1)
    assert call("Scan.WaitEndOfScan", 1000)[0] == (1, "")
    timed_out, path = call("Scan.WaitEndOfScan", -1)[0]
    assert timed_out == 0
    assert path
    data = call("Scan.FrameDataGrab", 30, 0)[0][1]
    assert np.isfinite(data).all()


def test_a_continuous_scan_begins_again(rig):
    world, _, call = rig
    call("Scan.BufferSet", [30], 16, 2)
    call("Scan.SpeedSet", 0.0, 0.0, 1.0, 1.0, 2, 1.0)
    call("Scan.PropsSet", 1, 0, 0, "", "", (), 0)
    call("Scan.Action", 0, 1)
    world.clock.sleep(60.0)
    assert call("Scan.StatusGet")[0] == (1,)


@pytest.mark.parametrize(("upwards", "first"), [(1, -1), (0, 0)])
def test_the_image_begins_at_the_top_whatever_the_direction(rig, upwards, first):
    _, _, call = rig
    call("Scan.BufferSet", [30], 16, 3)
    call("Scan.Action", 0, upwards)
    for _ in range(3):
        call("Scan.WaitEndOfLine", -1)
    data = call("Scan.FrameDataGrab", 30, 1)[0][1]
    assert np.isfinite(data[first]).all()
    assert np.isnan(data[1]).all()


def test_pixels_are_coerced_to_multiples_of_16(rig):
    _, _, call = rig
    call("Scan.BufferSet", [30], 100, 10)
    assert call("Scan.BufferGet")[0][1:] == (96, 10)


def test_a_move_without_waiting_arrives_later_and_can_be_stopped(rig):
    world, _, call = rig
    call("FolMe.SpeedSet", 10e-9, 1)
    call("FolMe.XYPosSet", 20e-9, 0.0, 0)
    assert call("FolMe.XYPosGet", 0)[0] == (0.0, 0.0)
    world.clock.sleep(2.0)
    assert call("FolMe.XYPosGet", 0)[0] == (20e-9, 0.0)
    call("FolMe.XYPosSet", 0.0, 0.0, 0)
    call("FolMe.Stop")
    world.clock.sleep(10.0)
    assert call("FolMe.XYPosGet", 0)[0] == (20e-9, 0.0)


def test_z_can_be_set_only_while_the_loop_is_open(rig):
    world, _, call = rig
    assert "Z-Controller off" in call("ZCtrl.ZPosSet", 1e-9)[1]
    call("ZCtrl.OnOffSet", 0)
    assert call("ZCtrl.ZPosSet", 1e-6)[1].startswith("Z position out of range")
    assert call("ZCtrl.ZPosSet", 5e-9)[1] == ""
    assert world.tip.z(world.clock.now()) == pytest.approx(5e-9)


def test_pushing_the_tip_into_the_surface_is_recorded(rig):
    world, _, call = rig
    call("ZCtrl.OnOffSet", 0)
    call("ZCtrl.ZPosSet", -5e-9)
    assert any("touches the surface" in line for line in world.violations)


def test_moving_with_the_loop_open_is_allowed_by_the_controller_but_recorded(rig):
    world, _, call = rig
    call("ZCtrl.OnOffSet", 0)
    assert call("FolMe.XYPosSet", 1e-9, 0.0, 1)[1] == ""
    assert any("lateral move" in line for line in world.violations)


def test_the_tip_is_lifted_when_the_loop_opens_as_far_as_it_goes(rig):
    world, _, call = rig
    call("ZCtrl.SwitchOffDelaySet", 0.1)
    z = world.tip.z(0.0)
    for lift, expected in ((2e-9, z + 2e-9), (0.9e-6, 250e-9)):
        call("ZCtrl.TipLiftSet", lift)
        call("ZCtrl.OnOffSet", 1)
        world.clock.sleep(1.0)
        call("ZCtrl.OnOffSet", 0)
        assert call("ZCtrl.StatusGet")[0] == (4,)
        world.clock.sleep(0.2)
        assert world.tip.z(world.clock.now()) == pytest.approx(expected, abs=20e-12)

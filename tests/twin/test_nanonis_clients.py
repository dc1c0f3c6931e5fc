"""The two public Nanonis clients, unmodified, on a served twin."""

from __future__ import annotations

import io
import socket
import struct
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from stm_daq.store.formats import read_spectra, read_topograph

nanonis_spm = pytest.importorskip("nanonis_spm")
pytest.importorskip("nanonisTCP")

SPEED = 100.0


@pytest.fixture
def served(make_twin, tmp_path):
    """Return (twin, ports, folder) of a twin that lives a hundred times faster than we do."""
    twin = make_twin(speed=SPEED, tip={"retracted": "2 nm"})
    with twin.serve(0, tmp_path / "session") as service:
        yield twin, service.table[0].ports, tmp_path / "session"
    controllers = twin._controllers
    assert [failure for c in controllers for failure in c.failures] == []


@pytest.fixture
def spm(served):
    """Return nanonis-spm connected to the first port."""
    connection = socket.create_connection(("127.0.0.1", served[1][0]))
    client = nanonis_spm.Nanonis(connection)
    client.returnDebugInfo(0)
    yield client
    client.close()


def values(reply):
    """Return the values of a nanonis-spm reply, which must be free of errors."""
    assert reply[0] == ""
    return reply[2]


def approach(spm):
    values(spm.Bias_Set(4e-3))
    values(spm.ZCtrl_SetpntSet(100e-12))
    values(spm.ZCtrl_OnOffSet(1))


def test_bias_current_z_and_setpoint(spm):
    approach(spm)
    assert values(spm.Bias_Get()) == [pytest.approx(4e-3)]
    assert values(spm.ZCtrl_SetpntGet()) == [pytest.approx(100e-12)]
    assert values(spm.ZCtrl_OnOffGet()) == [1]
    assert values(spm.Signals_ValGet(0, 1)) == [pytest.approx(100e-12, rel=0.05)]
    (z,) = values(spm.ZCtrl_ZPosGet())
    values(spm.ZCtrl_OnOffSet(0))
    values(spm.ZCtrl_ZPosSet(z + 1e-9))
    assert values(spm.ZCtrl_ZPosGet()) == [pytest.approx(z + 1e-9, abs=20e-12)]
    assert abs(values(spm.Current_Get())[0]) < 1e-12
    values(spm.ZCtrl_Withdraw(1, -1))
    assert values(spm.ZCtrl_OnOffGet()) == [0]
    assert values(spm.ZCtrl_ZPosGet()) == [pytest.approx(250e-9, abs=1e-9)]


def prepare_spectrum(spm, points=64):
    approach(spm)
    values(spm.LockIn_ModSignalSet(1, 24))
    values(spm.LockIn_ModAmpSet(1, 50e-6))
    values(spm.LockIn_ModPhasFreqSet(1, 87.3))
    values(spm.LockIn_DemodSignalSet(1, 0))
    values(spm.LockIn_DemodLPFilterSet(1, 2, 40.0))
    values(spm.LockIn_ModOnOffSet(1, 1))
    values(spm.BiasSpectr_Open())
    values(spm.BiasSpectr_ChsSet([0, 86, 87]))
    values(spm.BiasSpectr_PropsSet(0, 1, 1, points, 0.0, 1, 2))
    values(spm.BiasSpectr_AdvPropsSet(1, 1, 1, 2))
    values(spm.BiasSpectr_LimitsSet(-2e-3, 2e-3))
    values(spm.BiasSpectr_TimingSet(0.02, 0.0, 0.1, 0.5, 0.03, 0.05, 0.1, 0.1))


def test_a_spectrum_is_returned_and_saved(served, spm):
    twin, _, folder = served
    prepare_spectrum(spm)
    reply = values(spm.BiasSpectr_Start(1, "TiN"))
    names, table, parameters = reply[2], reply[5], [p for (p,) in reply[7]]
    assert names[:4] == ["Bias calc (V)", "Current (A)", "LI Demod 1 X (A)", "LI Demod 1 Y (A)"]
    assert names[4:] == [f"{n} [bwd] (A)" for n in ("Current", "LI Demod 1 X", "LI Demod 1 Y")]
    assert table.shape == (7, 64)
    np.testing.assert_allclose(table[0], np.linspace(-2e-3, 2e-3, 64), rtol=1e-6, atol=1e-12)
    properties = values(spm.BiasSpectr_PropsGet())
    assert properties[6] == names[1:4]
    assert [*properties[12], *properties[9]][:2] == ["Sweep Start", "Sweep End"]
    assert parameters[:2] == pytest.approx([-2e-3, 2e-3])
    bias, conductance = table[0], table[2] / 50e-6
    outside, inside = np.abs(bias) > 1.5e-3, np.abs(bias) < 0.2e-3
    assert conductance[inside].mean() < 0.5 * conductance[outside].mean()
    # the lock-in agrees with the slope of the current outside the gap
    slope = np.polyfit(bias[bias > 1e-3], table[1][bias > 1e-3], 1)[0]
    assert conductance[bias > 1e-3].mean() == pytest.approx(slope, rel=0.05)
    assert values(spm.Bias_Get()) == [pytest.approx(4e-3)]
    assert values(spm.ZCtrl_OnOffGet()) == [1]
    (path,) = folder.glob("TiN*.dat")
    ours = read_spectra(path)
    np.testing.assert_allclose(ours.current, table[1], rtol=1e-5)
    np.testing.assert_allclose(ours.conductance, table[2], rtol=1e-5)
    assert ours.temperature == pytest.approx(0.5, abs=0.01)
    theirs = pytest.importorskip("nanonispy2").read.Spec(str(path))
    np.testing.assert_allclose(theirs.signals["LI Demod 1 X [bwd] (A)"], table[5], rtol=1e-5)
    assert twin.violations() == []


def test_a_spectrum_in_the_background_can_be_watched_and_stopped(served, spm):
    twin, _, folder = served
    prepare_spectrum(spm, points=256)
    values(spm.BiasSpectr_Start(0, "slow"))
    with redirect_stdout(io.StringIO()):  # nanonis-spm takes the status for an error text
        running = spm.BiasSpectr_StatusGet()[1][:4]
    assert struct.unpack(">I", running) == (1,)
    values(spm.BiasSpectr_Stop())
    twin.clock.sleep(1.0)
    assert values(spm.ZCtrl_OnOffGet()) == [1]
    assert values(spm.Bias_Get()) == [pytest.approx(4e-3)]
    assert not list(folder.glob("slow*"))
    assert twin.violations() == []


def test_multi_line_segments(spm):
    prepare_spectrum(spm)
    values(spm.BiasSpectr_PropsSet(0, 1, 2, 0, 0.0, 2, 2))
    values(spm.BiasSpectr_MLSValsSet(
        2, [-2e-3, 0.0], [0.0, 1e-3], [0.1, 0.1], [0.01, 0.01], [0.01, 0.02], [16, 32], [1, 1]
    ))  # fmt: skip
    values(spm.BiasSpectr_MLSModeSet("MLS"))
    assert values(spm.BiasSpectr_MLSModeGet())[1] == "MLS"
    table = values(spm.BiasSpectr_Start(1, ""))[5]
    expected = [*np.linspace(-2e-3, 0, 16), *np.linspace(0, 1e-3, 32)]
    np.testing.assert_allclose(table[0], expected, rtol=1e-6, atol=1e-12)


def test_a_frame_is_grabbed_line_by_line_and_saved(served, spm):
    _, _, folder = served
    approach(spm)
    values(spm.Scan_FrameSet(0.0, 0.0, 50e-9, 25e-9, 0.0))
    values(spm.Scan_BufferSet([0, 30], 32, 16))
    values(spm.Scan_SpeedSet(0.0, 0.0, 2.0, 2.0, 2, 1.0))
    values(spm.Scan_PropsSet(2, 2, 1, "frame", "a comment", [""], 0))
    values(spm.Scan_Action(0, 1))
    seen = set()
    while values(spm.Scan_StatusGet()) == [1]:
        image = values(spm.Scan_FrameDataGrab(30, 1))[4]
        seen.add(int(np.isfinite(image).all(axis=1).sum()))
    assert len(seen) > 3
    timed_out, _, path = values(spm.Scan_WaitEndOfScan(1000))
    name, image = values(spm.Scan_FrameDataGrab(30, 1))[1:5:3]
    assert (timed_out, name, image.shape) == (0, "Z (m)", (16, 32))
    assert Path(path).parent == folder.resolve()
    z, size = read_topograph(path)
    assert size == pytest.approx((50e-9, 25e-9))
    np.testing.assert_allclose(z, image[::-1], rtol=1e-6)
    theirs = pytest.importorskip("nanonispy2").read.Scan(path)
    np.testing.assert_allclose(theirs.signals["Z"]["forward"], z, rtol=1e-6)
    assert theirs.header["scan_dir"] == "up"
    assert np.abs(theirs.signals["Current"]["backward"]).mean() == pytest.approx(1e-10, rel=0.1)


def test_a_grid_is_written(served, spm):
    twin, _, folder = served
    prepare_spectrum(spm, points=16)
    values(spm.BiasSpectr_PropsSet(0, 1, 2, 0, 0.0, 1, 2))
    values(spm.BiasSpectr_TimingSet(0.01, 0.0, 0.02, 1.0, 0.005, 0.005, 0.0, 0.0))
    values(spm.FolMe_SpeedSet(100e-9, 1))
    assert "configured" in _error(spm.Pattern_ExpStart, 1)
    values(spm.Pattern_ExpOpen())
    experiments = values(spm.Pattern_PropsGet())[2]
    values(spm.Pattern_PropsSet(experiments[1], "map", "", 0.0, 1))
    values(spm.Pattern_GridSet(1, 3, 2, 0, 0.0, 0.0, 30e-9, 20e-9, 0.0))
    assert values(spm.Pattern_GridGet())[:2] == [3, 2]
    values(spm.Pattern_ExpStart(1))
    while values(spm.Pattern_ExpStatusGet()) == [1]:
        twin.clock.sleep(0.5)
    (path,) = folder.glob("map*.3ds")
    ours = read_spectra(path)
    assert ours.conductance.shape == (2, 3, 16)
    assert np.isfinite(ours.conductance).all()
    theirs = pytest.importorskip("nanonispy2").read.Grid(str(path))
    np.testing.assert_allclose(theirs.signals["LI Demod 1 X (A)"], ours.conductance, rtol=1e-6)
    x, y = theirs.signals["params"][..., 2], theirs.signals["params"][..., 3]
    np.testing.assert_allclose(x[0], [-10e-9, 0, 10e-9], atol=1e-12)
    np.testing.assert_allclose(y[:, 0], [-5e-9, 5e-9], atol=1e-12)
    assert twin.violations() == []


def _error(call, *arguments):
    with redirect_stdout(io.StringIO()):
        return call(*arguments)[0]


def test_errors_leave_the_connection_usable(spm):
    assert "out of range" in _error(spm.Bias_Set, 100.0)
    assert "unknown command" in _error(spm.Motor_StopMove)
    assert values(spm.Bias_Get()) == [0.0]


def test_signals_user_outputs_and_session(served, spm):
    _, _, folder = served
    names = values(spm.Signals_NamesGet())[2]
    assert (names[0], names[24], names[30], names[86]) == (
        "Current (A)",
        "Bias (V)",
        "Z (m)",
        "LI Demod 1 X (A)",
    )
    readings = [value for (value,) in values(spm.Signals_ValsGet([24, 31], 0))[1]]
    assert readings == pytest.approx([0.0, 0.5], abs=0.01)
    values(spm.UserOut_ValSet(1, 2.5))
    assert "out of range" in _error(spm.UserOut_ValSet, 1, 25.0)
    assert values(spm.Util_SessionPathGet())[1] == str(folder.resolve())


def test_nanonistcp(served):
    from nanonisTCP.Bias import Bias
    from nanonisTCP.BiasSpectr import BiasSpectr
    from nanonisTCP.Current import Current
    from nanonisTCP.FolMe import FolMe
    from nanonisTCP.LockIn import LockIn
    from nanonisTCP.nanonisTCP import nanonisTCP
    from nanonisTCP.Pattern import Pattern
    from nanonisTCP.Piezo import Piezo
    from nanonisTCP.Scan import Scan
    from nanonisTCP.Signals import Signals
    from nanonisTCP.ZController import ZController

    twin, ports, folder = served
    connection = nanonisTCP(PORT=ports[2])
    bias, z = Bias(connection), ZController(connection)
    bias.Set(4e-3)
    z.SetpntSet(100e-12)
    z.OnOffSet(1)
    assert bias.Get() == pytest.approx(4e-3)
    assert Current(connection).Get() == pytest.approx(1e-10, rel=0.1)
    assert z.SetpntGet() == pytest.approx(100e-12)
    follow = FolMe(connection)
    follow.SpeedSet(100e-9, 1)
    follow.XYPosSet(3e-9, 4e-9, True)
    assert follow.XYPosGet(True) == pytest.approx([3e-9, 4e-9])
    lock_in = LockIn(connection)
    lock_in.ModAmpSet(1, 50e-6)
    lock_in.ModOnOffSet(1, True)
    assert lock_in.ModAmpGet(1) == pytest.approx(50e-6)
    assert "Current (A)" in Signals(connection).NamesGet()
    spectroscopy = BiasSpectr(connection)
    spectroscopy.ChsSet([0, 86])
    spectroscopy.LimitsSet(-1e-3, 1e-3)
    spectroscopy.PropsSet(num_sweeps=1, back_sweep=2, num_points=16)
    data = spectroscopy.Start(get_data=True, save_base_name="tcp")["data_dict"]
    assert len(data["Current (A)"]) == 16
    assert len(list(folder.glob("tcp*.dat"))) == 1
    scan = Scan(connection)
    scan.FrameSet(0.0, 0.0, 20e-9, 20e-9)
    scan.BufferSet([0, 30], 16, 16)
    scan.SpeedSet(0.0, 0.0, 0.5, 0.5, 2, 1)
    scan.PropsSet(2, 2, 1, "tcp", "")
    scan.Action("start", "up")
    timed_out, _, path = scan.WaitEndOfScan(60_000)
    assert not timed_out
    assert Path(path).suffix == ".sxm"
    _, image, direction = scan.FrameDataGrab(30, 1)
    assert np.isfinite(image).all()
    assert direction == "up"
    drift = Piezo(connection)
    drift.DriftCompSet(1, 1e-12, 0.0, -2e-12)
    assert drift.DriftCompGet()[1:4] == pytest.approx([1e-12, 0.0, -2e-12])
    drift.DriftCompSet(2, 0.0, 0.0, 0.0)
    pattern = Pattern(connection)
    pattern.ExpOpen()
    pattern.PropsSet("Bias Spectroscopy BINARY", "tcp", 0.0)
    pattern.GridSet(2, 2, 0.0, 0.0, 10e-9, 10e-9, 0.0)
    pattern.ExpStart("Grid")
    while pattern.ExpStatusGet():
        twin.clock.sleep(0.5)
    assert read_spectra(next(folder.glob("tcp*.3ds"))).conductance.shape == (2, 2, 16)
    z.Withdraw(True)
    assert not z.OnOffGet()
    with pytest.raises(Exception, match="out of range"):
        bias.Set(100.0)
    assert bias.Get() == pytest.approx(4e-3)
    connection.close_connection()


def test_four_clients_at_once_and_no_fifth(served):
    _, ports, _ = served
    connections = [socket.create_connection(("127.0.0.1", port)) for port in ports]
    clients = [nanonis_spm.Nanonis(connection) for connection in connections]
    for number, client in enumerate(clients):
        client.returnDebugInfo(0)
        values(client.Bias_Set(1e-3 * number))
    assert [values(client.Bias_Get()) for client in clients] == [[pytest.approx(3e-3)]] * 4
    for port in ports:
        with socket.create_connection(("127.0.0.1", port)) as fifth:
            fifth.settimeout(5.0)
            with pytest.raises(ConnectionResetError):
                fifth.recv(1)
    assert values(clients[0].Bias_Get()) == [pytest.approx(3e-3)]
    for connection in connections:
        connection.close()

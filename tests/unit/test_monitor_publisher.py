"""Publisher and client over a real socket on this computer."""

from __future__ import annotations

import threading
from itertools import islice

import numpy as np
import pytest
import zmq

from stm_daq.errors import BadInputError
from stm_daq.monitor.client import Missed, Refused, Silence, connect
from stm_daq.monitor.messages import Heartbeat, Message, encode
from stm_daq.monitor.publisher import Publisher
from stm_daq.monitor.view import RunView
from stm_daq.records import Event, Fit, Progress, RunEnded, RunStarted, Spectrum, Truth

PATIENCE = 200
"""Items after which a test gives up."""


def listen(address, until, ready=None, patience=PATIENCE):
    """Return the messages up to the first whose body fulfils `until`."""
    heard = []
    for count, item in enumerate(connect(address, tick=0.1)):
        if isinstance(item, Message):
            heard.append(item)
            if ready is not None:
                ready.set()
            if until(item.body):
                return heard
        assert count < patience, "what was waited for never came"
    return heard


def ended(body):
    return isinstance(body, RunEnded)


class Listener(threading.Thread):
    """Listens in the background from the first message on."""

    def __init__(self, address, until=ended):
        super().__init__(daemon=True)
        self.heard = []
        self.ready = threading.Event()
        self._arguments = (address, until, self.ready)
        self.start()
        assert self.ready.wait(10)

    def run(self):
        self.heard = listen(*self._arguments)

    def bodies(self):
        self.join(10)
        return [message.body for message in self.heard]


def test_a_run_arrives_in_order_and_complete(run):
    with Publisher(0) as publisher:
        listener = Listener(publisher.address)
        publisher.publish(run.started())
        publisher.publish(run.topograph(0, 6))
        publisher.publish(Event(1.0, "note", "begin"))
        for index in range(12):
            publisher.publish(run.spectrum(index))
            publisher.publish(run.fit(index))
            publisher.publish(run.truth(index))
            publisher.publish(Progress(1.0, index + 1, 12, 2.0, 3.0, "running"))
        publisher.publish(RunEnded(2.0, "finished"))
    bodies = listener.bodies()
    view = RunView()
    for body in bodies:
        view.apply(body)
    row, col = np.mgrid[:3, :4]
    np.testing.assert_allclose(view.map("gap"), 1e-6 * (300 + 10 * row + col))
    assert (view.map("fit_ok") == 1).all()
    np.testing.assert_allclose(view.topograph, run.topograph(0, 6).z)
    assert view.progress.done == 12
    assert view.spectrum.site.index == view.fit.site_index == 11
    assert view.state == "finished"
    assert [event.text for event in view.events] == ["begin"]
    assert not any(isinstance(body, Truth) for body in bodies)


def test_plan_and_station_stay_at_home(run):
    with Publisher(0) as publisher:
        listener = Listener(publisher.address, lambda body: isinstance(body, RunStarted))
        metadata = {"snapshot": "x" * 100_000, "fit_model": "btk"}
        publisher.publish(run.started(metadata=metadata))
        started = listener.bodies()[-1]
    assert (started.plan_text, started.station_text) == ("", "")
    assert started.metadata == {"fit_model": "btk"}
    np.testing.assert_array_equal(started.grid_x, run.started().grid_x)


def test_who_joins_late_sees_the_whole_run(run):
    with Publisher(0) as publisher:
        early = Listener(publisher.address)
        publisher.publish(run.started())
        publisher.publish(run.topograph(0, 6))
        publisher.publish(Event(1.0, "warning", "helium"))
        for index in range(7):
            publisher.publish(run.spectrum(index))
            publisher.publish(run.fit(index, ok=index != 3))
        publisher.publish(Progress(1.0, 7, 12, 2.0, 3.0, "running"))
        view = RunView()
        for message in listen(publisher.address, lambda body: isinstance(body, Progress)):
            view.apply(message.body)
        publisher.publish(RunEnded(3.0, "stopped"))
    assert view.started.name == "TiN demo"
    row, col = np.mgrid[:3, :4]
    expected = np.where(4 * row + col < 7, 1e-6 * (300 + 10 * row + col), np.nan)
    np.testing.assert_allclose(view.map("gap"), expected)
    assert view.map("fit_ok")[0, 3] == 0.0
    np.testing.assert_allclose(view.topograph, run.topograph(0, 6).z)
    assert view.spectrum.site.index == 6
    assert [event.text for event in view.events] == ["helium"]
    assert view.progress.done == 7
    # the one who was there before is not confused by the repetition
    other = RunView()
    for body in early.bodies():
        other.apply(body)
    assert [event.text for event in other.events] == ["helium"]
    assert other.state == "stopped"


def test_a_burst_is_thinned_but_the_maps_are_complete(run):
    with Publisher(0) as publisher:
        listener = Listener(publisher.address)
        publisher.publish(run.started())
        for attempt in range(100):
            for index in range(12):
                publisher.publish(run.spectrum(index, attempt))
                publisher.publish(run.fit(index, attempt))
        publisher.publish(RunEnded(3.0, "finished"))
    bodies = listener.bodies()
    spectra = [body for body in bodies if isinstance(body, Spectrum)]
    assert 1 <= len(spectra) < 1200
    assert (spectra[-1].site.index, spectra[-1].attempt) == (11, 99)
    assert len([body for body in bodies if isinstance(body, Fit)]) < 1200
    view = RunView()
    for body in bodies:
        view.apply(body)
    assert np.isfinite(view.map("gap")).all()
    assert 0 < publisher._news.skipped < 1200


def test_a_full_queue_drops_the_oldest_and_says_so(run, monkeypatch):
    monkeypatch.setattr("stm_daq.monitor.queue.LONGEST", 5)
    publisher = Publisher(0)
    publisher.close()  # nobody takes from the queue any more
    for number in range(12):
        publisher.publish(Event(float(number), "note", f"{number}"))
    beat = publisher._news._heartbeat()
    assert (beat.state, beat.skipped, beat.dropped, beat.queue) == ("waiting", 0, 7, 5)
    assert [event.text for event in publisher._queue.take()] == ["7", "8", "9", "10", "11"]


def test_publishing_after_the_end_or_without_viewers_does_no_harm(run):
    publisher = Publisher(0)
    publisher.publish(run.fit(3))  # of a run that nobody announced
    publisher.publish(run.started())
    publisher.close()
    publisher.close()
    assert not any(thread.is_alive() for thread in publisher._threads)
    assert not np.isfinite(publisher._live.view.map("gap")).any()
    assert publisher._live.seq >= 1  # what was left was sent
    sent = publisher._live.seq
    publisher.publish(run.spectrum(0))
    assert publisher._live.seq == sent
    with pytest.raises(AssertionError, match="never came"):
        listen(publisher.address, lambda body: True, patience=10)


def test_heartbeats_come_without_a_run():
    with Publisher(0) as publisher:
        beat = listen(publisher.address, lambda body: isinstance(body, Heartbeat))[-1]
    assert (beat.body.state, beat.body.skipped, beat.body.dropped) == ("waiting", 0, 0)
    assert beat.run == ""


def test_a_taken_port_leads_to_the_next():
    with Publisher(0) as first:
        port = int(first.address.rsplit(":", 1)[1])
        if port > 65500:
            pytest.skip("no room for the next port")
        with Publisher(port) as second:
            assert second.address.startswith("tcp://127.0.0.1:")
            assert int(second.address.rsplit(":", 1)[1]) > port


def test_only_this_computer_can_connect():
    with Publisher(0) as publisher:
        assert publisher.address.startswith("tcp://127.0.0.1:")


def test_an_address_that_is_none_is_reported():
    with pytest.raises(BadInputError, match="'carrier pigeon' is no address"):
        next(connect("carrier pigeon"))


@pytest.fixture
def wire():
    """Return a bare socket with its address, to say what no publisher would."""
    context = zmq.Context()
    socket = context.socket(zmq.XPUB)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    yield socket, f"tcp://127.0.0.1:{port}"
    context.destroy(linger=0)


def test_losses_rubbish_and_restarts_are_told(wire):
    socket, address = wire
    items = connect(address, tick=0.2)
    assert next(items) == Silence(pytest.approx(0.2, abs=0.2), heard=False)
    assert socket.poll(5000)
    assert socket.recv() == b"\x01"

    def say(seq, boot="a"):
        socket.send_multipart(encode(Message("", boot, seq, 0.0, Heartbeat("waiting", 0, 0))))

    say(4)
    say(5)
    socket.send_multipart([b"heartbeat", b"rubbish"])
    say(9)
    say(0, boot="b")
    heard = list(islice((item for item in items if not isinstance(item, Silence)), 6))
    kinds = [type(item) for item in heard]
    assert kinds == [Message, Message, Refused, Missed, Message, Message]
    assert heard[3] == Missed(3)
    silence = next(items)
    assert isinstance(silence, Silence)
    assert silence.heard
    assert not silence.stale
    assert Silence(3.5, heard=True).stale
    assert not Silence(3.5, heard=False).stale

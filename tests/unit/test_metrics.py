"""What Prometheus is told, read by its own parser."""

import math
import urllib.request

import pytest

from stm_daq.errors import BadInputError
from stm_daq.monitor.bodies import Alert, Heartbeat
from stm_daq.monitor.client import Silence
from stm_daq.monitor.messages import Message
from stm_daq.records import Progress

prometheus_parser = pytest.importorskip("prometheus_client.parser")
from stm_daq.monitor.metrics import RunCollector, serve  # noqa: E402

LAB, ANNEX = "tcp://lab:5550", "tcp://annex:5550"


@pytest.fixture
def scrape():
    """Return a collector of two stations, and what a scrape of it gives: {(name, labels): value}."""
    collector = RunCollector([LAB, ANNEX])
    port = serve(collector, "127.0.0.1", 0)

    def get():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        families = prometheus_parser.text_string_to_metric_families(text)
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    return collector, get


def key(name, /, **labels):
    return name, frozenset({"station": LAB, **labels}.items())


def test_a_run_in_numbers(scrape, run):
    collector, get = scrape
    started = run.started(name='map "a"\nof TiN \\')
    for body in (
        started,
        run.spectrum(0, temperature=0.5),
        run.fit(0),
        run.spectrum(1),
        run.fit(1, ok=False),
        Progress(0.0, 2, 12, 1.8e9, 1300.0, "running"),
        Alert(0.0, "guard", "alarm", "too warm", delivered=False),
        Heartbeat("running", dropped=3, disk_free=5e9, commit_age=0.5, queue=4),
    ):
        collector.take(LAB, Message("run-1", "b", 0, 0.0, body))
    found = get()
    expected = {
        "up": 1, "sites_done": 2, "sites": 12, "sites_per_hour": 1300, "spectra": 2,
        "finish_time_seconds": 1.8e9, "bad_fit_ratio": 0.5, "disk_free_bytes": 5e9,
        "commit_age_seconds": 0.5, "queue_records": 4, "records_dropped": 3, "alerts_unsent": 1,
        "guards_bad": 0, "messages_lost": 0,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[key(f"stm_daq_{name}")] == value, name
    assert found[key("stm_daq_state", state="running")] == 1
    assert found[key("stm_daq_state", state="failed")] == 0
    assert found[key("stm_daq_alerts", level="alarm")] == 1
    assert found[key("stm_daq_run_info", run="run-1", name=started.name, kind="rehearsal")] == 1


def test_what_is_not_known_is_left_out_and_silence_is_down(scrape, run):
    collector, get = scrape
    found = get()
    assert found[key("stm_daq_up")] == 0
    assert key("stm_daq_sites") not in found
    assert not any(math.isnan(value) for value in found.values())
    collector.take(LAB, Message("run-1", "b", 0, 0.0, run.started()))
    assert get()[key("stm_daq_up")] == 1
    collector.take(LAB, Silence(61.0, heard=True))
    found = get()
    assert (found[key("stm_daq_up")], found[key("stm_daq_silent_seconds")]) == (0, 61)
    assert found["stm_daq_up", frozenset({("station", ANNEX)})] == 0


def test_an_address_that_cannot_be_used_is_refused():
    with pytest.raises(BadInputError, match="cannot be listened to"):
        serve(RunCollector([]), "192.0.2.1", 9464)

"""What Prometheus may ask about runs: text at an HTTP address, by a process beside them.

Needs the extra ``prometheus``.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from stm_daq.errors import BadInputError
from stm_daq.monitor.client import Item
from stm_daq.monitor.watcher import Watcher

STATES = ("waiting", "running", "paused", "stopping", "finished", "stopped", "failed")
LEVELS = ("info", "warning", "alarm")
_LABEL = "station"


class RunCollector(Collector):
    """Turns what is known of some runs into metrics; a value that is not known is left out.

    Parameters
    ----------
    addresses : iterable of str
        Of the publishers; each is the value of the label `station`.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self._watchers = {address: Watcher(address) for address in addresses}
        self._lock = threading.Lock()

    def take(self, address: str, item: Item) -> None:
        """Take an item of a publisher into account."""
        with self._lock:
            self._watchers[address].take(item)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        with self._lock:
            known = {name: _numbers(watcher) for name, watcher in self._watchers.items()}
            info = InfoMetricFamily("stm_daq_run", "The run that was heard last.", labels=[_LABEL])
            for name, watcher in self._watchers.items():
                if watcher.view.started is not None:
                    started = watcher.view.started
                    facts = {"run": started.run_id, "name": started.name, "kind": started.kind}
                    info.add_metric([name], facts)
            states = _labelled("stm_daq_state", "1 for the state of the run.", "state", STATES,
                               {n: {w.state: 1} for n, w in self._watchers.items()})  # fmt: skip
            alerts = _labelled("stm_daq_alerts", "Alerts of the run so far.", "level", LEVELS,
                               {n: _levels(w) for n, w in self._watchers.items()})  # fmt: skip
        yield from (info, states, alerts)
        for name, meaning in _MEANINGS.items():
            family = GaugeMetricFamily(f"stm_daq_{name}", meaning, labels=[_LABEL])
            for station, numbers in known.items():
                if math.isfinite(numbers[name]):
                    family.add_metric([station], numbers[name])
            yield family


_MEANINGS = {
    "up": "1 if the run is heard now.",
    "silent_seconds": "Since the last message.",
    "sites_done": "Sites that are measured.",
    "sites": "Sites of the run.",
    "sites_per_hour": "Rate, in the run's time.",
    "finish_time_seconds": "Expected end, since the Unix epoch, in the run's time.",
    "spectra": "Spectra on the maps.",
    "bad_fit_ratio": "Of the latest fits those that cannot be trusted.",
    "stage_temperature_kelvin": "Temperature of the stage.",
    "disk_free_bytes": "Free space where the run is stored.",
    "commit_age_seconds": "Since a record was stored.",
    "queue_records": "Records that wait to be sent to viewers.",
    "records_dropped": "Records that viewers have to fetch from the journal.",
    "messages_lost": "Messages that did not arrive here.",
    "alerts_unsent": "Alerts that have got through to nobody.",
    "guards_bad": "Guards that are bad now.",
}


def _numbers(watcher: Watcher) -> dict[str, float]:
    view, beat, progress = watcher.view, watcher.heartbeat, watcher.view.progress
    return {
        "up": float(watcher.heard and not watcher.stale),
        "silent_seconds": watcher.silent,
        "sites_done": math.nan if progress is None else progress.done,
        "sites": math.nan if progress is None else progress.total,
        "sites_per_hour": math.nan if progress is None else progress.rate,
        "finish_time_seconds": math.nan if progress is None else progress.finish_time,
        "spectra": float(np.isfinite(view.maps["time"]).sum()),
        "bad_fit_ratio": watcher.bad_fraction,
        "stage_temperature_kelvin": view.stage_temperature,
        "disk_free_bytes": beat.disk_free,
        "commit_age_seconds": beat.commit_age,
        "queue_records": beat.queue,
        "records_dropped": beat.dropped,
        "messages_lost": watcher.missed,
        "alerts_unsent": len(watcher.unsent),
        "guards_bad": sum(not guard.good for guard in view.guards.values()),
    }


def _levels(watcher: Watcher) -> dict[str, int]:
    return {level: sum(alert.level == level for alert in watcher.view.alerts) for level in LEVELS}


def _labelled(
    name: str, meaning: str, label: str, values: Iterable[str], known: Mapping[str, dict[str, int]]
) -> GaugeMetricFamily:
    """Return a metric with a second label: 0 where nothing is known."""
    family = GaugeMetricFamily(name, meaning, labels=[_LABEL, label])
    for station, numbers in known.items():
        for value in values:
            family.add_metric([station, value], numbers.get(value, 0))
    return family


def serve(collector: RunCollector, host: str, port: int) -> int:
    """Answer at ``http://host:port/metrics`` in a thread; return the port (0 takes a free one).

    Raises
    ------
    BadInputError
        If the address cannot be used.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except (OSError, OverflowError) as error:
        raise BadInputError(f"{host}:{port} cannot be listened to: {error}") from None
    return int(server.server_port)

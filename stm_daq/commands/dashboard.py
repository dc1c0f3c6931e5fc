"""``stm-daq dashboard``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from stm_daq.errors import BadInputError
from stm_daq.records import Fit, Spectrum

if TYPE_CHECKING:
    from stm_daq.monitor.bodies import Alert
    from stm_daq.monitor.client import Connection
    from stm_daq.monitor.dashboard.app import App, Shown

_TRANSPORTS = ("tcp://", "ipc://")


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """Where the dashboard listens, and what it offers."""

    key: Path | None
    operate: bool
    port: int
    listen: str
    names: tuple[str, ...]
    certificate: Path | None
    links: int
    open_browser: bool
    station: Path | None = None
    """Whose sinks are told when a station falls silent; None: nobody's."""


def show_dashboard(targets: Sequence[str], options: DashboardOptions) -> None:
    """Serve stations and runs to browsers until interrupted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    logging.getLogger("tornado.access").setLevel(logging.ERROR)  # the gate tells what it refused
    with ExitStack() as stack:
        app = make_dashboard(targets, options, stack)
        _show_links(app, options)
        app.run()


def make_dashboard(
    targets: Sequence[str], options: DashboardOptions, stack: ExitStack | None = None
) -> App:
    """Build the dashboard and begin to listen; see :func:`show_dashboard`.

    At the end of `stack` the last alerts are sent.

    Raises
    ------
    BadInputError
        If Bokeh is missing, or an address, a run or an option cannot be used.
    """
    try:
        from stm_daq.monitor.dashboard.app import App
    except ImportError as error:
        raise BadInputError(
            f'the dashboard needs Bokeh ({error}): pip install "stm-daq[dashboard]"'
        ) from None
    from stm_daq.commands.formulas import FORMULAS
    from stm_daq.monitor.dashboard.doors import secret_of
    from stm_daq.monitor.dashboard.live import Station
    from stm_daq.monitor.dashboard.server import Listen

    shown = [_shown(target, options) for target in targets]
    listen = Listen(options.listen, options.port, frozenset(options.names), options.certificate)
    secret = secret_of(settings_folder() / "dashboard.secret")
    stations = {s.source.name: s.source for s in shown if isinstance(s.source, Station)}

    def told(name: str, alert: Alert) -> None:
        app.loop.add_callback(stations[name].alert, alert)

    raise_alert = _way_out(options.station, told, stack)
    app = App(shown, FORMULAS, secret, listen, raise_alert)
    for target, one in zip(targets, shown, strict=True):
        if isinstance(one.source, Station):
            items = _connect(_address(target)[1], options.key)
            one.source.listen(items, app.loop)
    return app


def settings_folder() -> Path:
    """Return the folder for the settings of this user."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA")
    return (Path(base) if base else Path.home() / ".config") / "stm_daq"


def _shown(target: str, options: DashboardOptions) -> Shown:
    """Make a source of an address or of a run folder."""
    from stm_daq.monitor.dashboard.app import Shown
    from stm_daq.monitor.dashboard.live import Station
    from stm_daq.monitor.dashboard.past import PastRun
    from stm_daq.past import JournalPast

    name, address = _address(target)
    if not address.startswith(_TRANSPORTS):
        return Shown(PastRun(JournalPast(Path(target))))
    if not options.operate:
        return Shown(Station(name, History(address, options.key)))
    from stm_daq.monitor.operator import Operator

    operator = Operator(address, options.key)
    return Shown(Station(name, History(address, options.key)), operator.send)


def _address(target: str) -> tuple[str, str]:
    """Split ``NAME=ADDRESS``; an address alone is its own name."""
    name, equals, address = target.partition("=")
    if equals and address.startswith(_TRANSPORTS):
        return name, address
    return target, target


def _connect(address: str, key: Path | None) -> Connection:
    from stm_daq.monitor.client import connect

    return connect(address, key)


class History:
    """Asks a station for single spectra, one at a time, on a connection of its own."""

    def __init__(self, address: str, key: Path | None) -> None:
        self._address = address
        self._key = key
        self._lock = Lock()
        self._connection: Connection | None = None

    def __call__(self, site: int) -> tuple[Spectrum | None, Fit | None]:
        """Return the latest spectrum of a site and its fit, None where there is none."""
        with self._lock:
            if self._connection is None:
                self._connection = _connect(self._address, self._key)
            return self._connection.spectrum(site)


def _way_out(
    station: Path | None, told: Callable[[str, Alert], None], stack: ExitStack | None
) -> Callable[[str, Alert], None]:
    """Return what is done with alerts about stations: printed, and sent where a station says to whom."""
    if station is None:
        return _print_alert
    from stm_daq.commands.alerts import print_unsent, settings_of
    from stm_daq.monitor.alerts.announcer import Announcer

    announcer = Announcer(settings_of(station), settings_folder() / "hub-alerts.db", told)
    if stack is not None:
        stack.callback(lambda: print_unsent(announcer.close()))

    def way_out(name: str, alert: Alert) -> None:
        _print_alert(name, alert)
        announcer(name, alert)

    return way_out


def _print_alert(_station: str, alert: Alert) -> None:
    print(f"\a{alert.text}", file=sys.stderr, flush=True)


def _show_links(app: App, options: DashboardOptions) -> None:
    links = [("watch", app.server.invitation("viewer")) for _ in range(options.links)]
    if options.operate:
        links.insert(0, ("operate", app.server.invitation("operator")))
    for what, link in links:
        print(f"{what + ':':<10}{link}")
    print(
        "Each link is good once; a page that is open gives further ones. Ctrl-C stops", flush=True
    )
    if options.open_browser:
        import webbrowser

        webbrowser.open(links[0][1])

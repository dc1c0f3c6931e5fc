"""``stm-daq alerts deadman``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stm_daq.alert_settings import AlertSettings
from stm_daq.commands.alerts import print_alert, print_unsent
from stm_daq.commands.listening import items_of
from stm_daq.monitor.alerts.announcer import Announcer
from stm_daq.monitor.alerts.silence import SilenceWatch


def listen_for_silence(
    addresses: Sequence[str], key: Path | None, settings: AlertSettings, spool: Path
) -> None:
    """Listen to publishers until interrupted; tell when one falls silent.

    Raises
    ------
    BadInputError
        If an address is none, or `settings` have no rule about silence.
    """
    announcer = Announcer(settings, spool, print_alert)
    watch = SilenceWatch(announcer, addresses)
    print(f"listening to {', '.join(addresses)}; Ctrl-C stops", flush=True)
    try:
        for address, item in items_of(addresses, key):
            watch.hear(address, item)
    except KeyboardInterrupt:
        print("no longer listening")
    finally:
        print_unsent(announcer.close())

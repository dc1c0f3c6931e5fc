"""``stm-daq alerts deadman``."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path

from stm_daq.alert_settings import AlertSettings
from stm_daq.commands.alerts import print_alert, print_unsent
from stm_daq.errors import StmDaqError
from stm_daq.monitor.alerts.silence import SilenceWatch
from stm_daq.monitor.client import Item, connect


def listen_for_silence(addresses: Sequence[str], settings: AlertSettings, spool: Path) -> None:
    """Listen to publishers until interrupted; tell when one falls silent.

    Raises
    ------
    BadInputError
        If an address is none.
    """
    items: queue.SimpleQueue[tuple[str, Item | StmDaqError]] = queue.SimpleQueue()
    watch = SilenceWatch(settings, addresses, spool, print_alert)
    for address in addresses:
        threading.Thread(target=_listen, args=(address, items), daemon=True).start()
    print(f"listening to {', '.join(addresses)}; Ctrl-C stops", flush=True)
    try:
        while True:
            address, item = items.get()
            if isinstance(item, StmDaqError):
                raise item
            watch.hear(address, item)
    except KeyboardInterrupt:
        print("no longer listening")
    finally:
        print_unsent(watch.close())


def _listen(address: str, items: queue.SimpleQueue[tuple[str, Item | StmDaqError]]) -> None:
    try:
        for item in connect(address):
            items.put((address, item))
    except StmDaqError as error:
        items.put((address, error))

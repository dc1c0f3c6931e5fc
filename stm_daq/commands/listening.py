"""Listening to several publishers at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from stm_daq.monitor.client import Item, connect


def items_of(addresses: Sequence[str], key: Path | None) -> Iterator[tuple[str, Item]]:
    """Yield (address, item) of all publishers, each heard by a thread of its own, until Ctrl-C.

    Raises
    ------
    BadInputError
        If an address is none, or the key cannot be used.
    """
    heard: queue.SimpleQueue[tuple[str, Item | Exception]] = queue.SimpleQueue()
    for address in dict.fromkeys(addresses):
        threading.Thread(target=_listen, args=(address, key, heard), daemon=True).start()
    while True:
        try:
            address, item = heard.get(
                timeout=1.0
            )  # one without end cannot be interrupted on Windows
        except queue.Empty:
            continue
        if isinstance(item, Exception):
            raise item
        yield address, item


def _listen(
    address: str, key: Path | None, heard: queue.SimpleQueue[tuple[str, Item | Exception]]
) -> None:
    try:
        with connect(address, key) as items:
            for item in items:
                heard.put((address, item))
    except Exception as error:  # noqa: BLE001 - raised again where it is seen: a deaf dead man says nothing
        heard.put((address, error))

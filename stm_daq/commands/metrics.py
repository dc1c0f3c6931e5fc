"""``stm-daq metrics``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stm_daq.commands.listening import items_of
from stm_daq.errors import BadInputError


def serve_metrics(addresses: Sequence[str], key: Path | None, listen: str) -> None:
    """Listen to publishers and answer Prometheus until interrupted.

    Raises
    ------
    BadInputError
        If an address is none, or the extra is not installed.
    """
    try:
        from stm_daq.monitor.metrics import RunCollector, serve
    except ImportError:
        raise BadInputError(
            "prometheus-client is not installed: pip install 'stm-daq[prometheus]'"
        ) from None
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise BadInputError(f"--listen {listen}: write address and port, such as 127.0.0.1:9464")
    collector = RunCollector(addresses)
    host = host.strip("[]")
    bound = serve(collector, host, int(port))
    print(f"metrics at http://{host}:{bound}/metrics; Ctrl-C stops", flush=True)
    for address, item in items_of(addresses, key):
        collector.take(address, item)

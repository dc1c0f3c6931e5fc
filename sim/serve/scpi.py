"""Message-based instruments behind a raw TCP socket: a message ends with a newline."""

from __future__ import annotations

import logging
import re

from sim.bus import Port
from sim.devices.scpi import EXECUTION_ERROR
from sim.serve.server import MessageServer, Place

log = logging.getLogger(__name__)

_BLOCK = re.compile(rb"#([1-9])")


def scpi_server(port: Port, place: Place, number: int) -> MessageServer:
    """Return the server of an instrument; replies are the bytes that it gives on its own bus."""

    def answer(message: bytes) -> bytes:
        port.transactions += 1
        try:
            return port.device.handle(message.rstrip(b"\r\n")) or b""
        except Exception:
            # whatever a client sends, the instrument goes on; the defect is ours
            log.exception("%s failed on %r", port.device.name, message[:80])
            port.device.refuse(EXECUTION_ERROR, -300, "Device-specific error")
            return b""

    return MessageServer("SCPI", place, number, message_size, answer, clients=4)


def message_size(data: bytes) -> int | None:
    """Return the size of the first message with its newline; a binary block may hold any byte."""
    end = data.find(b"\n")
    if end < 0:
        return None
    block = _BLOCK.search(data, 0, end)
    if block is None or b'"' in data[: block.start()]:
        return end + 1
    start = block.end() + int(block.group(1))
    length = data[block.end() : start]
    if len(length) < start - block.end():
        return None
    if not length.isdigit():
        return end + 1
    end = data.find(b"\n", start + int(length))
    return end + 1 if end >= 0 else None

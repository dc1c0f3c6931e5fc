"""A simulated web service behind a TCP port: HTTP/1.1 with JSON bodies."""

from __future__ import annotations

import json
import logging
import re

from sim.devices.outside import WebDevice
from sim.serve.server import MessageServer, Place

log = logging.getLogger(__name__)

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_END = b"\r\n\r\n"
REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 500: "Internal Error"}


def http_server(device: WebDevice, place: Place, number: int = 0) -> MessageServer:
    """Return the server of a web service."""

    def reply(request: bytes) -> bytes:
        device.transactions += 1
        return http_reply(device, request)

    return MessageServer("HTTP", place, number, request_size, reply, clients=8)


def request_size(data: bytes) -> int | None:
    """Return the size of the first request; None if its head has not come completely.

    Raises
    ------
    ValueError
        If it is no HTTP request.
    """
    if not b"GET POST".startswith(data[:3]) and data[:5] not in (b"POST ",) and data[:4] != b"GET ":
        raise ValueError("this is not HTTP")
    end = data.find(_END)
    if end < 0:
        return None
    length = _LENGTH.search(data, 0, end + 2)
    return end + len(_END) + (int(length.group(1)) if length else 0)


def http_reply(device: WebDevice, request: bytes) -> bytes:
    """Carry out one request and return the whole reply; none if the service stays silent."""
    head, _, body = request.partition(_END)
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(words) != 3:
        return _encoded(400, b'{"error": "Bad Request"}')
    try:
        answer = device.answer(words[0], words[1], body)
    except Exception:
        # whatever a client sends, the service goes on; the defect is ours
        log.exception("a web service failed on %r", request[:80])
        answer = 500, json.dumps({"error": {"name": "INTERNAL_ERROR"}}).encode()
    return _encoded(*answer) if answer is not None else b""


def _encoded(status: int, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body

"""How a driver reaches what is neither VISA nor a byte stream: web services and folders.

On the microscope these are real. In a rehearsal the twin puts its own here, as with the byte streams
(:mod:`stm_daq.station.streams`), so that station.yaml and driver stay the same.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LARGEST_ANSWER = 4 << 20
"""Bytes; more is no answer of a thermometer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a web service."""

    host: str
    port: int
    target: str
    """Path and query, such as ``/values/?key=...``."""
    body: bytes = b""
    """If there is one it is posted as JSON, else the target is got."""
    tls: bool = False
    """Whether to encrypt; the certificate is not checked (they are self-signed)."""
    timeout: float = 5.0
    """s."""

    @property
    def method(self) -> str:
        """``GET`` or ``POST``."""
        return "POST" if self.body else "GET"


class Surroundings(Protocol):
    """What lies around the station's computer."""

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Return status and body of the answer.

        Raises
        ------
        OSError
            If none comes in time.
        """
        ...

    def folder(self, path: Path) -> Path:
        """Return where the folder that the station knows as `path` really is."""
        ...


class RealSurroundings:
    """The network and the disk."""

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        connection = _connection(request)
        try:
            headers = {"Content-Type": "application/json"} if request.body else {}
            connection.request(request.method, request.target, request.body or None, headers)
            response = connection.getresponse()
            return response.status, response.read(LARGEST_ANSWER)
        except http.client.HTTPException as error:
            raise ConnectionError(f"no proper answer ({error!r})") from error
        finally:
            connection.close()

    def folder(self, path: Path) -> Path:
        """Return the folder itself."""
        return path


def _connection(request: Request) -> http.client.HTTPConnection:
    if not request.tls:
        return http.client.HTTPConnection(request.host, request.port, timeout=request.timeout)
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(
        request.host, request.port, timeout=request.timeout, context=unchecked
    )


_present: ContextVar[Surroundings] = ContextVar("present", default=RealSurroundings())  # noqa: B039


def answer(request: Request) -> tuple[int, bytes]:
    """Ask a web service (or its twin); see :class:`Surroundings`."""
    return _present.get().answer(request)


def folder(path: Path) -> Path:
    """Return where a folder (or its twin) is."""
    return _present.get().folder(path)


@contextmanager
def surrounded_by(surroundings: Surroundings) -> Iterator[None]:
    """Let `surroundings` be those of all drivers inside the block; used by rehearsals."""
    token = _present.set(surroundings)
    try:
        yield
    finally:
        _present.reset(token)

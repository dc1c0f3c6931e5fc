"""Questions to a web service and its answers in JSON, told as this project's errors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from stm_daq.errors import DeadlineError, InstrumentError
from stm_daq.station.surroundings import Request, answer


class JsonClient:
    """Asks one web service.

    Parameters
    ----------
    name : str
        Of the instrument, for messages.
    host : str
    port : int
    timeout : float
        Longest wait for an answer, s.
    tls : bool
    query : mapping
        Sent with every question, such as the key.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        timeout: float,
        tls: bool,
        query: Mapping[str, str],
    ) -> None:
        self._name = name
        self._place = (host, port)
        self._timeout = timeout
        self._tls = tls
        self._query = f"?{urlencode(query)}" if query else ""

    def get(self, path: str) -> dict[str, Any]:
        """Get a resource; asked once more if no answer comes.

        Raises
        ------
        DeadlineError
            If no answer comes in time.
        InstrumentError
            If the service cannot be reached, or its answer is no JSON object or an error.
        """
        try:
            return self._ask(path, b"")
        except DeadlineError:
            return self._ask(path, b"")

    def post(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Post a JSON object, once only (errors as :meth:`get`)."""
        return self._ask(path, json.dumps(content).encode())

    def _ask(self, path: str, body: bytes) -> dict[str, Any]:
        host, port = self._place
        request = Request(host, port, path + self._query, body, self._tls, self._timeout)
        where = f"{self._name}: {path} at {host}:{port}"
        try:
            status, text = answer(request)
        except TimeoutError as error:
            raise DeadlineError(f"{where}: no answer within {self._timeout:g} s") from error
        except OSError as error:
            raise InstrumentError(
                f"{where}: {error}; is the service running, the address right?"
            ) from error
        if status in (401, 403):
            raise InstrumentError(f"{where}: not allowed; check the `key` in station.yaml")
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        if status != 200 or not isinstance(content, dict) or "error" in content:
            raise InstrumentError(f"{where}: answer {status} {text[:120]!r}")
        return content


def number_in(fields: Mapping[str, Any], key: str) -> float:
    """Return a field as a number, which may be written as text; NaN if it is empty or null."""
    value = fields.get(key)
    if isinstance(value, bool):
        return float(value)
    try:
        return float(value) if value not in (None, "") else math.nan
    except (TypeError, ValueError):
        return math.nan

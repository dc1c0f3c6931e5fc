"""Command a run from another process, or from home."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import zmq

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.keys import require_private
from stm_daq.monitor.messages import VERSION
from stm_daq.monitor.orders import LARGEST_ORDER, Answer, Confirmation, Order, hello, signature
from stm_daq.monitor.peer import Peer
from stm_daq.monitor.service import neighbour

CONTROL_FILE = "monitor.json"
"""In the folder of a run that is going on: where it can be reached, and its token; mode 0600."""
CONTROL_OFFSET = 2
_PATIENCE = 5.0
_LARGEST_FILE = 4096


class ControlFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ``monitor.json`` holds."""

    address: str
    """Of the live messages."""
    boot: str
    process: int
    token: str = ""
    """Signs commands; "" where keys are used."""


class Operator:
    """Sends commands to a run and waits for what becomes of them; also a context manager.

    Parameters
    ----------
    address : str
        Of the live messages, such as ``tcp://127.0.0.1:5550``.
    key : Path, optional
        The operator's secret key, with ``station.pub`` beside it; or a copy of the ``monitor.json`` of a
        run that is watched without keys. None: the run is on this computer and belongs to the
        same user.

    Raises
    ------
    BadInputError
        If the address is none, or the key cannot be used.
    """

    def __init__(self, address: str, key: Path | None = None) -> None:
        self._token = ""
        if key is not None and _is_control_file(key):
            self._token, key = _token(key), None
        self._peer = Peer(key)
        try:
            self._socket = self._peer.socket(zmq.DEALER, neighbour(address, CONTROL_OFFSET))
        except BadInputError:
            self._peer.close()
            raise
        self._secure = key is not None
        self._address = address

    def send(self, command: str, argument: str = "") -> Confirmation:
        """Send a command; return what the run says.

        Parameters
        ----------
        command : {"pause", "continue", "stop", "abort", "note", "model"}
            Pause before the next site and go on; stop after this spectrum, or at once; write a note into
            the journal; fit with another model from the next spectrum on.
        argument : str
            The text of a note, the name of a model.

        Returns
        -------
        Confirmation
            Not accepted also if nobody answers; the text says why as far as that is known.
        """
        offered = self._ask(hello())
        if offered is None:
            return Confirmation(False, self._silence())
        order = Order(VERSION, command, argument, offered.challenge)
        if not self._secure:
            try:
                token = self._token or _token(Path(offered.folder) / CONTROL_FILE)
            except BadInputError as error:
                return Confirmation(False, f"no token, so nothing was sent: {error}")
            order = msgspec.structs.replace(order, mac=signature(token, offered.boot, order))
        answer = self._ask(msgspec.json.encode(order))
        if answer is None:
            return Confirmation(False, f"it is not known what became of it: {self._silence()}")
        return Confirmation(answer.accepted, answer.text)

    def close(self) -> None:
        """Leave; what was accepted stays so."""
        self._peer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, order: bytes) -> Answer | None:
        """Send one order and wait for its answer; None if there is none."""
        clock = RealClock()
        end = clock.now() + _PATIENCE
        while self._socket.poll(0):
            self._socket.recv_multipart()  # the answer to a question that was given up
        while not self._peer.refused and clock.now() < end:
            try:
                self._socket.send(order, flags=zmq.NOBLOCK)
                break
            except zmq.Again:  # not connected yet
                self._peer.listen(0.05)
        while not self._peer.refused and clock.now() < end:
            if not self._socket.poll(50):
                self._peer.listen(0.0)
                continue
            frames = self._socket.recv_multipart()
            try:
                if len(frames) == 1 and len(frames[0]) <= LARGEST_ORDER:
                    return msgspec.json.decode(frames[0], type=Answer)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                return None
        return None

    def _silence(self) -> str:
        if self._peer.refused:
            return self._peer.refused
        where = neighbour(self._address, CONTROL_OFFSET)
        return f"nobody answers at {where} within {_PATIENCE:g} s"


def _is_control_file(path: Path) -> bool:
    return path.name == CONTROL_FILE or path.suffix == ".json"


def _token(path: Path) -> str:
    require_private(path)
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LARGEST_FILE), type=ControlFile).token
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror})") from None
    except (msgspec.MsgspecError, ValueError):
        raise BadInputError(f"{path} is not the {CONTROL_FILE} of a run") from None

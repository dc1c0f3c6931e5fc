"""Command a run from another process, or from home."""

from __future__ import annotations

from pathlib import Path

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
_ONCE = ("note",)
"""Commands that must not be carried out twice."""
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
    """Sends commands to a run and waits for what becomes of them; from any thread.

    Every command has a connection of its own: the late answer to an earlier one is never taken for
    the answer to this one, and a station that once refused us is asked anew.

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
        self._key = key
        self._where = neighbour(address, CONTROL_OFFSET)
        Peer(key).close()  # what is wrong with the keys is said at once

    def send(self, command: str, argument: str = "") -> Confirmation:
        """Send a command; return what the run says.

        A command that was sent and not answered is sent once more, unless that would do something
        twice.

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

        Raises
        ------
        BadInputError
            If there can be no such address.
        """
        for _ in range(1 if command in _ONCE else 2):
            with Peer(self._key) as peer:
                dialogue = _Dialogue(peer, self._where)
                done = self._try(dialogue, command, argument)
            if done is not None:
                return done
        return Confirmation(
            False, f"it is not known what became of it: {dialogue.silence}; look at the run's state"
        )

    def _try(self, dialogue: _Dialogue, command: str, argument: str) -> Confirmation | None:
        """Send a command once; None if it was sent and nobody answered."""
        offered = dialogue.ask(hello())
        if offered is None:
            return Confirmation(False, f"nothing was sent: {dialogue.silence}")
        order = Order(VERSION, command, argument, offered.challenge)
        if self._key is None:
            try:
                token = self._token or _token(Path(offered.folder) / CONTROL_FILE)
            except BadInputError as error:
                return Confirmation(False, f"no token, so nothing was sent: {error}")
            order = msgspec.structs.replace(order, mac=signature(token, offered.boot, order))
        answer = dialogue.ask(msgspec.json.encode(order))
        return None if answer is None else Confirmation(answer.accepted, answer.text)


class _Dialogue:
    """Questions and answers over one connection to a control socket.

    Attributes
    ----------
    silence : str
        Why there was no answer.
    """

    def __init__(self, peer: Peer, where: str) -> None:
        self._peer = peer
        self._socket = peer.socket(zmq.DEALER, where)
        self.silence = f"nobody answers at {where} within {_PATIENCE:g} s"

    def ask(self, order: bytes) -> Answer | None:
        """Send one order and wait for its answer; None if there is none, or it cannot be read."""
        clock = RealClock()
        end, sent = clock.now() + _PATIENCE, False
        while not self._peer.refused and clock.now() < end:
            try:
                if not sent:
                    self._socket.send(order, flags=zmq.NOBLOCK)
                    sent = True
            except zmq.Again:  # not connected yet
                self._peer.listen(0.05)
                continue
            if self._socket.poll(50):
                return _answer(self._socket.recv_multipart())
            self._peer.listen(0.0)
        self.silence = self._peer.refused or self.silence
        return None


def _answer(frames: list[bytes]) -> Answer | None:
    try:
        if len(frames) == 1 and len(frames[0]) <= LARGEST_ORDER:
            return msgspec.json.decode(frames[0], type=Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    return None


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

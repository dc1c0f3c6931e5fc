"""The gate of a station: lets in who has a key, and notes who was refused.

libzmq asks for every CURVE connection by its authentication protocol (ZAP, rfc.zeromq.org/spec/27).
Whoever does not get that far (no key, a wrong key of the station, the NULL mechanism) fails the
handshake, which the monitors of the sockets tell.
"""

from __future__ import annotations

import logging
import socket as net
import struct
import threading
from collections.abc import Callable

import zmq
from zmq.utils import z85

from stm_daq.clock import RealClock
from stm_daq.monitor.keys import LEVELS, KeyRing, Level

_ZAP = "inproc://zeromq.zap.01"
_TICK = 100
_LOOK = 1.0
"""How often it is looked whether keys were revoked, s."""
_FAILED = (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
_WATCHED = zmq.EVENT_ACCEPTED | zmq.EVENT_MONITOR_STOPPED | sum(_FAILED)
_ADMITTED: dict[bytes, tuple[Level, ...]] = {b"viewer": LEVELS, b"operator": ("operator",)}
"""Who passes by domain: who may command may also watch."""

type Refused = Callable[[str, dict[str, str]], None]
"""Is told who was refused: a text, and address and key."""

_log = logging.getLogger(__name__)


class Gate:
    """Guards the sockets of a context until the context is destroyed.

    Parameters
    ----------
    context : zmq.Context
    keys : KeyRing
    refused : callable
        Called from a thread of the gate's own.
    revoked : callable
        Likewise, when a key is no longer allowed whose owner may be connected.

    Raises
    ------
    BadInputError
        If the station has no keys, or they are not secret.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        keys: KeyRing,
        refused: Refused,
        revoked: Callable[[], None],
    ) -> None:
        self._keys = keys
        self._refused = refused
        self._revoked = revoked
        self._allowed = set(keys.entries())
        self._pair = keys.station()
        self._zap = context.socket(zmq.REP)
        self._zap.bind(_ZAP)  # before any guarded socket
        self._monitors: list[zmq.Socket[bytes]] = []
        self._lately = ""
        self._clock = RealClock()
        self._looked = self._clock.now()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="gate", daemon=True)

    def guard(self, socket: zmq.Socket[bytes], level: Level) -> None:
        """Let only keys of this level connect; to be called before binding."""
        socket.curve_server = True
        socket.curve_secretkey = self._pair.secret
        socket.curve_publickey = self._pair.public
        socket.zap_domain = level.encode()
        self._monitors.append(socket.get_monitor_socket(_WATCHED))

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._closing.set()
        self._thread.join(timeout=5.0)

    def _serve(self) -> None:
        while not self._closing.is_set():
            poller = zmq.Poller()
            for socket in (self._zap, *self._monitors):
                poller.register(socket, zmq.POLLIN)
            try:
                for socket, _ in poller.poll(_TICK):
                    frames = socket.recv_multipart()
                    if socket is self._zap:
                        self._zap.send_multipart(self._judge(frames))
                    elif not self._watch(frames):
                        self._monitors.remove(socket)
                        socket.close()
                self._look_for_revoked()
            except zmq.ZMQError as error:
                _log.error("the gate is closed, nobody else can connect: %s", error)
                return
            except (ValueError, struct.error):
                _log.exception("the gate could not read a request")

    def _look_for_revoked(self) -> None:
        """Let all connections be made anew when a key is gone: the gate only sees beginnings."""
        now = self._clock.now()
        if now - self._looked < _LOOK:
            return
        allowed, self._looked = set(self._keys.entries()), now
        if self._allowed - allowed:
            self._revoked()
        self._allowed = allowed

    def _judge(self, frames: list[bytes]) -> list[bytes]:
        """Answer a request of ZAP."""
        version, request, domain, address, _, mechanism, *credentials = frames
        name = key = ""
        if mechanism == b"CURVE" and len(credentials) == 1 and len(credentials[0]) == 32:
            public = z85.encode(credentials[0])
            key = public.decode()
            name = self._keys.who(public, _ADMITTED.get(domain, ()))
        if name:
            return [version, request, b"200", b"OK", name.encode(), b""]
        where = address.decode(errors="replace")
        owner = self._keys.who(key.encode(), LEVELS)
        whose = f"the key of {owner}" if owner else f"the unknown key {key or '-'}"
        level = domain.decode(errors="replace")
        self._refused(f"{where} with {whose} as {level}", {"address": where, "key": key})
        return [version, request, b"400", b"this key is not allowed", b"", b""]

    def _watch(self, frames: list[bytes]) -> bool:
        """Note who connects, and who fails before a key was seen; return whether more will come."""
        event, value = struct.unpack("=Hi", frames[0])
        if event == zmq.EVENT_ACCEPTED:
            self._lately = _peer(value) or self._lately
        elif event in _FAILED:
            where = self._lately  # the only one who connected lately, or one of them
            text = f"{where or 'somebody'} without a valid key (no CURVE, or another station's key)"
            self._refused(text, {"address": where, "key": ""})
        return bool(event != zmq.EVENT_MONITOR_STOPPED)


def _peer(handle: int) -> str:
    """Return who is at the other end of a TCP connection of libzmq's; "" if it is closed already."""
    try:
        with net.fromfd(handle, net.AF_INET, net.SOCK_STREAM) as copy:
            return str(copy.getpeername()[0])
    except OSError:
        return ""

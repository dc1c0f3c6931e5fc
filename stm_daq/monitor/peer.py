"""The viewer's side of a connection: its keys, and why it does not come about."""

from __future__ import annotations

import struct
from pathlib import Path

import zmq

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.keys import STATION, read_public, read_secret
from stm_daq.monitor.messages import LARGEST_ARRAY
from stm_daq.monitor.service import Scope, Socket

_REASONS = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the station refused the key: it has to be allowed there "
    "(`stm-daq keys allow`), as a viewer to watch, as an operator to command",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "the station and this program do not agree on keys: one uses "
    "them and the other does not (give --key)",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the station hung up during the handshake: it wants a key "
    "(give --key), or its own key has changed (get a new station.pub)",
}
_DEAD = 15_000
"""A station that is silent for so long (ms) is connected to anew."""


class Peer(Scope):
    """Makes sockets that connect to a station, and knows why it refuses them.

    Parameters
    ----------
    key : Path, optional
        Secret key; ``station.pub`` beside it is the key of the station.

    Attributes
    ----------
    refused : str
        Why the station did not let us in the last time; "" if it did, or was never reached.

    Raises
    ------
    BadInputError
        If the keys cannot be used.
    """

    def __init__(self, key: Path | None = None) -> None:
        self.refused = ""
        self._pair = None if key is None else read_secret(key)
        self._station = None if key is None else read_public(key.parent / f"{STATION}.pub")[1]
        # shared and never ended: ending it waits for sockets that nobody closed
        self._context: zmq.Context[Socket] = zmq.Context.instance()
        self._sockets: list[Socket] = []
        self._monitors: list[Socket] = []

    def socket(self, kind: int, address: str) -> Socket:
        """Return a socket that connects to `address`, now or whenever somebody is there.

        Raises
        ------
        BadInputError
            If `address` is none.
        """
        socket = self._context.socket(kind)
        self._sockets.append(socket)
        socket.linger = 0
        socket.maxmsgsize = LARGEST_ARRAY
        socket.immediate = 1  # nothing waits for somebody who is not there
        socket.heartbeat_ivl = _DEAD // 3
        socket.heartbeat_timeout = _DEAD
        socket.reconnect_ivl = 100
        socket.reconnect_ivl_max = 500  # a short run must not be over before we are back
        socket.ipv6 = "[" in address
        if self._pair is not None:
            socket.curve_publickey = self._pair.public
            socket.curve_secretkey = self._pair.secret
            socket.curve_serverkey = self._station
        events = zmq.EVENT_HANDSHAKE_SUCCEEDED | sum(_REASONS)
        self._monitors.append(socket.get_monitor_socket(events))
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            raise BadInputError(
                f"'{address}' is no address ({error}); write for example tcp://127.0.0.1:5550"
            ) from None
        return socket

    def listen(self, seconds: float) -> None:
        """Learn what became of the handshakes; wait so long for news."""
        poller = zmq.Poller()
        for monitor in self._monitors:
            poller.register(monitor, zmq.POLLIN)
        end = RealClock().now() + seconds
        while True:
            for monitor, _ in poller.poll(max(0, int((end - RealClock().now()) * 1000))):
                event, _ = struct.unpack("=Hi", monitor.recv_multipart()[0])
                self.refused = _REASONS.get(zmq.Event(event), "")
            if RealClock().now() >= end:
                return

    def close(self) -> None:
        """Close all sockets."""
        for socket in self._sockets:
            socket.disable_monitor()
            socket.close(linger=0)
        for monitor in self._monitors:
            monitor.close(linger=0)
        self._sockets, self._monitors = [], []

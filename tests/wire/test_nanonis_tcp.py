"""Our Nanonis connection over a real socket whose other end misbehaves."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from drivers.nanonis_connection import ConnectionLostError, NanonisConnection
from stm_daq.errors import InstrumentError
from stm_daq.protocols import nanonis as protocol

REPLY = protocol.encode_reply("Bias.Get", (0.25,))


@pytest.fixture
def serve():
    """Serve clients one after the other with the given functions; return a connection to them."""
    opened = []

    def make(*behaviours, timeout=20.0):
        listener = socket.create_server(("127.0.0.1", 0))

        def run():
            for behaviour in behaviours:
                client, _ = listener.accept()
                with client, suppress(OSError):  # the other end may leave first
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    while client.recv(4096):
                        if not behaviour(client):
                            break

        threading.Thread(target=run, daemon=True).start()
        port = listener.getsockname()[1]
        connection = NanonisConnection("127.0.0.1", port, timeout, lambda: None)
        opened.extend([listener, connection])
        return connection

    yield make
    for item in opened:
        item.close()


def whole(client):
    client.sendall(REPLY)
    return True


def in_pieces(client):
    for byte in REPLY:
        client.sendall(bytes([byte]))
    return True


def cut_off(client):
    client.sendall(REPLY[:42])
    return False


def test_a_reply_may_come_byte_by_byte(serve):
    connection = serve(in_pieces)
    assert connection.call("Bias.Get") == (0.25,)
    assert connection.call("Bias.Get") == (0.25,)


def test_a_connection_that_breaks_in_the_middle_of_a_reply_is_made_anew(serve):
    connection = serve(cut_off, whole)
    assert connection.call("Bias.Get") == (0.25,)


def test_a_connection_that_always_breaks_is_given_up(serve):
    connection = serve(cut_off, cut_off, whole)
    with pytest.raises(ConnectionLostError, match="closed the connection"):
        connection.call("Bias.Get")
    assert connection.call("Bias.Get") == (0.25,)


def test_a_reply_that_trickles_does_not_stretch_the_deadline(serve):
    stop = threading.Event()

    def trickle(client):
        for byte in REPLY:
            if stop.wait(0.1):
                break
            client.sendall(bytes([byte]))
        return False

    connection = serve(trickle, trickle, timeout=0.3)
    with pytest.raises(ConnectionLostError, match=r"of 40 bytes arrived|timed out"):
        connection.call("Bias.Get")
    stop.set()


def test_the_answer_to_another_command_is_never_taken_for_this_one(serve):
    def other(client):
        client.sendall(protocol.encode_reply("Current.Get", (1e-10,)))
        return True

    connection = serve(other, whole)
    assert connection.call("Bias.Get") == (0.25,)


def test_an_error_block_is_raised_and_the_connection_stays(serve):
    answers = [protocol.encode_reply("Bias.Get", error="no"), REPLY]

    def answer(client):
        client.sendall(answers.pop(0))
        return True

    connection = serve(answer)
    with pytest.raises(InstrumentError, match=r"refused Bias\.Get: no"):
        connection.call("Bias.Get")
    assert connection.call("Bias.Get") == (0.25,)

"""The twin's devices on TCP ports of this computer, for any outside program.

A device that has a TCP interface of its own offers ``servers(place)``, see :class:`Place`; every
message-based (SCPI) device gets a port by itself.
"""

from sim.serve.server import MessageServer, Place, TcpServer

__all__ = ["MessageServer", "Place", "TcpServer"]

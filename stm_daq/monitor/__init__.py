"""Who watches a run, and how: messages, the publisher, its viewers.

For scripts: :func:`connect` follows a run, :class:`Operator` commands it.
"""

from __future__ import annotations

from stm_daq.monitor.client import Connection, Missed, Refused, Silence, connect
from stm_daq.monitor.messages import Message
from stm_daq.monitor.operator import Operator
from stm_daq.monitor.orders import Confirmation

__all__ = [
    "Confirmation",
    "Connection",
    "Message",
    "Missed",
    "Operator",
    "Refused",
    "Silence",
    "connect",
]

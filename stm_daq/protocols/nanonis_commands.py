"""The Nanonis commands that driver and twin know, from one table.

A command is a row: name, arguments, return values, in wire order (:mod:`nanonis_table`). To add
one, add its row.
"""

from __future__ import annotations

from stm_daq.protocols.nanonis_fields import Layout
from stm_daq.protocols.nanonis_table import OTHER_ARGUMENTS, OTHER_RETURNS, ROWS

NAME_SIZE = 32


class Command:
    """One command of the interface.

    Attributes
    ----------
    arguments, returns : Layout
    other_arguments, other_returns : tuple of Layout
        How some clients, or controllers of another release, write them.
    """

    def __init__(self, name: str, arguments: str, returns: str) -> None:
        self.name = name
        self.wire_name = name.encode("ascii").ljust(NAME_SIZE, b"\0")
        self.arguments = Layout(arguments)
        self.returns = Layout(returns)
        self.other_arguments = tuple(Layout(text) for text in OTHER_ARGUMENTS.get(name, ()))
        self.other_returns = tuple(Layout(text) for text in OTHER_RETURNS.get(name, ()))

    @property
    def only_reads(self) -> bool:
        """Whether carrying the command out twice does the same as once, and changes nothing."""
        return self.name.endswith(("Get", "Grab"))


COMMANDS = {name: Command(name, arguments, returns) for name, arguments, returns in ROWS}
"""All commands by name."""

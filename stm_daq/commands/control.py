"""``stm-daq control``."""

from __future__ import annotations

import json
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.monitor.operator import Operator
from stm_daq.monitor.orders import COMMANDS

NOT_ACCEPTED = 12


def command_run(address: str, command: str, argument: str, key: Path | None, as_json: bool) -> int:
    """Send a command to a run, print what it says, return the exit code."""
    if command not in COMMANDS:
        raise BadInputError(f"'{command}' is no command; choose one of {', '.join(COMMANDS)}")
    answer = Operator(address, key).send(command, argument)
    if as_json:
        print(json.dumps({"accepted": answer.accepted, "text": answer.text}))
    else:
        print(answer.text if answer.accepted else f"not accepted: {answer.text}")
    return 0 if answer.accepted else NOT_ACCEPTED

"""Whether a bias source plays hardware lists; not every one does."""

from __future__ import annotations

from stm_daq.errors import BadInputError
from stm_daq.station.roles import BiasSource, ListSource

NO_LIST = (
    "has no hardware list, so it cannot play a spectrum and trigger the lock-in; write "
    "`sweep: kind: points`, or give the role 'bias' to a source that can, such as a QDAC-II"
)
_METHODS = [name for name in vars(ListSource) if not name.startswith("_")]


def plays_lists(adapter: object) -> bool:
    """Return whether an adapter (or its class) has the methods of a :class:`ListSource`."""
    return all(callable(getattr(adapter, name, None)) for name in _METHODS)


def require_list_source(bias: BiasSource) -> ListSource:
    """Return `bias` if it plays hardware lists.

    Raises
    ------
    BadInputError
        If it can only be set point by point.
    """
    if not isinstance(bias, ListSource):
        raise BadInputError(f"{type(bias).__name__} {NO_LIST}")
    return bias

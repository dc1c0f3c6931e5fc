"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence

from stm_daq.errors import BadInputError
from stm_daq.fitting import MODELS
from stm_daq.fitting.models import unit
from stm_daq.quantities import parse


def check_model(model: str) -> None:
    """Refuse a model that does not exist.

    Raises
    ------
    BadInputError
    """
    if model not in MODELS:
        raise BadInputError(f"model {model}: unknown; choose one of {', '.join(MODELS)}")


def parse_fixed(texts: Sequence[str], models: Sequence[str]) -> dict[str, dict[str, float]]:
    """Read what ``--fixed`` says, such as ``temperature=1.2K``.

    Parameters
    ----------
    texts : sequence of str
    models : sequence of str
        Keys of `MODELS`.

    Returns
    -------
    dict
        The fixed parameters of each model, in SI.

    Raises
    ------
    BadInputError
        If a value has no unit, or none of the models has such a parameter.
    """
    fixed: dict[str, dict[str, float]] = {model: {} for model in models}
    for text in texts:
        name, equals, value = (piece.strip() for piece in text.partition("="))
        having = [model for model in models if name in MODELS[model].names]
        if not equals or not having:
            known = sorted({n for model in models for n in MODELS[model].names})
            raise BadInputError(
                f"--fixed {text}: write name=value with one of {', '.join(known)}, "
                "for example temperature=1.2K"
            )
        for model in having:
            try:
                fixed[model][name] = parse(value, unit(MODELS[model], name))
            except ValueError as error:
                raise BadInputError(f"--fixed {text}: {error}") from None
    return fixed

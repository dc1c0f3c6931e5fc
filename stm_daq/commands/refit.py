"""``stm-daq fit RUN``: fit whole runs again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stm_daq.commands.options import check_model, parse_fixed
from stm_daq.commands.work import work_display
from stm_daq.errors import BadInputError, JournalError
from stm_daq.fitting import VERDICTS, explain, grade
from stm_daq.fitting.data import ENGINES
from stm_daq.refit import Refit, cluster, find_runs, refit_run, settings_for
from stm_daq.store.reading import journal_path
from stm_daq.store.refit_maps import refit_columns


@dataclass(frozen=True, slots=True)
class RefitOptions:
    """What the command line says about a refit."""

    model: str
    compare: str | None
    fixed: tuple[str, ...]
    """Such as "temperature=1.2K"."""
    processes: int | None
    scheduler: str | None
    engine: str = "exact"

    @property
    def models(self) -> tuple[str, ...]:
        """The model asked for, then the one to compare it with."""
        return (self.model,) if self.compare is None else (self.model, self.compare)


def refit_paths(paths: list[Path], options: RefitOptions, as_json: bool) -> None:
    """Fit all runs in `paths` again, each stored beside its run, and print what was found.

    A run that cannot be read does not stop the others.

    Raises
    ------
    BadInputError
        If an option makes no sense or a path holds no runs; nothing is fitted then.
    JournalError
        If runs could not be refitted; the others were.
    """
    for model in options.models:
        check_model(model)
    if options.engine not in ENGINES:
        raise BadInputError(f"--engine {options.engine}: choose one of {', '.join(ENGINES)}")
    fixed = parse_fixed(options.fixed, options.models)
    runs = [run for path in paths for run in find_runs(path)]
    done: list[tuple[Path, Refit]] = []
    problems: list[str] = []
    with _place(options) as place:
        for run in runs:
            try:
                done.append((run, _refit(run, options, fixed, place, as_json)))
            except JournalError as error:
                problems.append(str(error))
                continue
            if not as_json:
                _print(run, done[-1][1])
    if as_json:
        print(json.dumps([_as_dict(run, refit) for run, refit in done], indent=1))
    if problems:
        raise JournalError("\n".join(problems))


def _refit(
    run: Path,
    options: RefitOptions,
    fixed: Mapping[str, Mapping[str, float]],
    place: Mapping[str, Any],
    quiet: bool,
) -> Refit:
    settings = tuple(
        settings_for(run, model, fixed[model], options.engine) for model in options.models
    )
    with work_display(run.name, quiet) as progress:
        return refit_run(run, settings, processes=options.processes, progress=progress, **place)


@contextmanager
def _place(options: RefitOptions) -> Iterator[dict[str, Any]]:
    """Arguments of `refit_run` that say where to fit."""
    if options.scheduler is None:
        yield {}
        return
    with cluster(options.scheduler, options.processes) as (executor, workers):
        yield {"executor": executor, "workers": workers}


def _print(run: Path, refit: Refit) -> None:
    print(f"{run.name}: {refit.spectra} spectra", end="")
    print(f", {refit.resumed} of them fitted before" if refit.resumed else "")
    for model in refit.info.models:
        columns = refit_columns(refit.info, model)
        medians = ", ".join(filter(None, (_median(columns, name) for name in _SHOWN)))
        print(
            f"  {model}: {_grades(columns['flags'])}" + (f"; median {medians}" if medians else "")
        )
        for flag, count in _flags(columns["flags"]):
            print(f"    {count:6d}  {explain((flag,))[0]}")
    for verdict, count in sorted(refit.verdicts.items(), key=lambda item: -item[1]):
        print(f"  {count:6d}  {_verdict(verdict)}")
    print(f"  stored in {refit.info.path}")


def _verdict(words: str) -> str:
    """A verdict and its preferred model as a sentence."""
    verdict, _, model = words.partition(" ")
    return f"{words}: {VERDICTS[verdict].format(model=model)}"


def _flags(texts: Any) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for text in texts:
        for flag in filter(None, str(text).split(",")):
            counts[flag] = counts.get(flag, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


_SHOWN = {"gap": (1e3, "meV"), "temperature": (1.0, "K"), "barrier": (1.0, ""),
          "broadening": (1e3, "meV")}  # fmt: skip


def _grades(texts: Any) -> str:
    grades = [grade(filter(None, str(text).split(","))) for text in texts]
    return ", ".join(f"{grades.count(word)} {word}" for word in ("good", "doubtful", "failed"))


def _median(columns: Mapping[str, Any], name: str) -> str:
    """Median and the central 68 % of the good fits that know more than a limit."""
    ok = columns["ok"].astype(bool)
    if name not in columns or not ok.any():
        return ""
    flags = columns["flags"].astype(str)
    limited = np.array([f"{name}_upper_limit" in t or f"{name}_lower_limit" in t for t in flags])
    known = columns[name][ok & ~limited]
    if not len(known):
        return f"{name} limits only"
    factor, unit_ = _SHOWN[name]
    low, middle, high = np.nanpercentile(known, [16, 50, 84]) * factor
    text = f"{name} {middle:.3f} +{high - middle:.3f} -{middle - low:.3f} {unit_}".strip()
    return text if len(known) == ok.sum() else f"{text} (of {len(known)}, else limits)"


def _as_dict(run: Path, refit: Refit) -> dict[str, Any]:
    info = refit.info
    return {
        "run": str(journal_path(run).parent),
        "fit": info.name,
        "path": str(info.path),
        "models": list(info.models),
        "spectra": refit.spectra,
        "resumed": refit.resumed,
        "ok": dict(refit.ok),
        "verdicts": dict(refit.verdicts),
        "code": info.about["code"],
        "input": info.input,
    }

"""Findings as people and scripts read them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from io import StringIO
from typing import Any

from stm_daq.report.chapter import Finding
from stm_daq.report.numbers import plus_minus


def written(finding: Finding) -> str:
    """Write a finding with its uncertainty and unit: "0.612 ± 0.004 meV"."""
    if not math.isfinite(finding.value):
        return "cannot be told"
    if not finding.std > 0 and finding.value.is_integer() and abs(finding.value) < 1e9:
        return f"{finding.value:.0f} {finding.unit}".rstrip()  # a count
    return f"{plus_minus(finding.value, finding.std)} {finding.unit}".rstrip()


def findings_csv(findings: Sequence[Finding]) -> str:
    """Return findings as CSV; what is not known is empty."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["key", "title", "value", "std", "unit", "remark"])
    for finding in findings:
        numbers = ["" if v is None else repr(v) for v in _numbers(finding)]
        writer.writerow([finding.key, finding.title, *numbers, finding.unit, finding.remark])
    return buffer.getvalue()


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings for JSON; what is not known is None."""
    return [
        {"key": f.key, "title": f.title, "value": _numbers(f)[0], "std": _numbers(f)[1],
         "unit": f.unit, "remark": f.remark}
        for f in findings
    ]  # fmt: skip


def _numbers(finding: Finding) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in (finding.value, finding.std)]

"""What a report costs, figure by figure: CPU time, size of SVG and CSV.

    python benchmarks/report_speed.py RUN [--recipe NAME]

Beside the sum: the same figures as PNG at 200 dpi, which is what a page without SVG would hold.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import stm_daq  # noqa: E402
from stm_daq.report.contents import contents_of  # noqa: E402
from stm_daq.report.embed import picture_of, rendered  # noqa: E402
from stm_daq.report.figure_data import figure_csv  # noqa: E402
from stm_daq.report.html import make_report, page_of  # noqa: E402
from stm_daq.store.reading import events  # noqa: E402


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--recipe", default="auto")
    chosen = parser.parse_args()
    clock = time.process_time
    start = clock()
    dataset, happened = stm_daq.open_run(chosen.run), events(chosen.run)
    contents = contents_of(dataset, happened, chosen.recipe)
    print(
        f"opened, {len(contents.findings)} findings of recipe {contents.recipe}: {clock() - start:.2f} s"
    )
    times = "".join(f"{name:>7s}" for name in ("draw", "SVG", "CSV", "PNG"))
    print(f"\n{'figure':40s}{times}{'SVG kB':>8s}{'CSV kB':>8s}{'PNG kB':>8s}")
    for chapter in contents.chapters:
        marks = [clock()]
        try:
            figure = chapter.draw()
        except Exception as reason:  # noqa: BLE001 - a report goes on, too
            print(f"{chapter.title[:39]:40s}{clock() - marks[0]:7.2f}  {reason}")
            continue
        marks.append(clock())
        _, svg = picture_of(figure)
        marks.append(clock())
        csv = figure_csv(figure)
        marks.append(clock())
        png = rendered(figure, "png")
        marks.append(clock())
        spent = "".join(f"{after - before:7.2f}" for before, after in pairwise(marks))
        sizes = "".join(f"{len(content) / 1e3:8.0f}" for content in (svg, csv, png))
        print(f"{chapter.title[:39]:40s}{spent}{sizes}")
    start = clock()
    page = page_of(make_report(stm_daq.open_run(chosen.run), happened, chosen.recipe), "figures")
    print(f"\nwhole report: {clock() - start:.1f} s of CPU, page {len(page) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

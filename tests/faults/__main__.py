"""Try the worker by every fault, and print the ledger.

    python -m tests.faults                            all of it, some minutes
    python -m tests.faults --short                    a bounded form, for CI
    python -m tests.faults --scenario kills --kills 500 --seed 7
    python -m tests.faults --minutes 60               again and again, with the next seed each time

Exit status 1 when anything is wrong; then the data folder is kept and named, with the command that plays it again.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context

from tests.faults import broken
from tests.faults.ledger import Row, table
from tests.faults.scenarios import SCENARIOS, play_one
from tests.faults.world import Options

JOBS = 2 * (os.cpu_count() or 1) + 1
"""Scenarios that play at once: they mostly wait."""

EXAMPLES = 4


def main() -> int:
    """Play what the command line asks for."""
    asked = _arguments()
    kills = asked.kills or (24 if asked.short else 240)
    options = Options(
        asked.seed, kills, 1 if asked.short else 4, asked.patience, keep=asked.keep, break_by=asked.broken
    )
    names = asked.scenario or list(SCENARIOS)
    print(f"seed {options.seed}, {kills} kills, scenarios: {', '.join(names)}", flush=True)
    end = time.monotonic() + 60 * asked.minutes
    good = True
    while True:
        good = report(options, play(names, options, asked.jobs), short=asked.short) and good
        if time.monotonic() >= end:
            return 0 if good else 1
        options = replace(options, seed=options.seed + 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Try the worker by every fault.")
    parser.add_argument("--seed", type=int, default=1, help="what is random follows from it")
    parser.add_argument("--short", action="store_true", help="each kind of fault once, and few kills")
    parser.add_argument("--kills", type=int, default=0, help="so many kill -9 in the scenario `kills`")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin again with the next seed until they are over")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="this one only; may be repeated")
    parser.add_argument("--jobs", type=int, default=JOBS, help="scenarios that play at once")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds that are waited for what has not arrived")
    parser.add_argument("--keep", action="store_true", help="keep the data folders in any case")
    parser.add_argument(
        "--broken", choices=list(broken.BROKEN), default="", help="put a fault into the worker, to see that it is found"
    )
    return parser.parse_args()


def play(names: list[str], options: Options, jobs: int) -> list[Row]:
    """Play scenarios side by side, each in a process of its own; return their rows, in order."""
    if len(names) == 1:
        return [play_one(names[0], options)]
    began = time.monotonic()
    with ProcessPoolExecutor(max(1, min(jobs, len(names))), mp_context=get_context("spawn")) as pool:
        playing = {pool.submit(play_one, name, options): name for name in names}
        rows = {}
        for done in as_completed(playing):
            row = rows[playing[done]] = done.result()
            print(f"{time.monotonic() - began:5.0f} s  {row.scenario}: {row.verdict}", file=sys.stderr, flush=True)
    return [rows[name] for name in names]


def report(options: Options, rows: list[Row], *, short: bool) -> bool:
    """Print the ledger and what is wrong; return True when nothing is."""
    print(f"\n{table(rows)}\n")
    for row in rows:
        for note in [row.skipped] if row.skipped else row.notes:
            print(f"{row.scenario}: {note}")
    for row in rows:
        if row.wrong:
            print(f"\n{row.scenario} is WRONG; its folder is kept in {row.kept_in or '(none)'}")
            print("\n".join(f"  {line}" for line in some_of_each(row.wrong)))
            size = " --short" if short else ""
            again = f"--seed {options.seed} --kills {options.kills}{size} --scenario {row.scenario}"
            print(f"  again: python -m tests.faults {again}")
    print(f"\nseed {options.seed}: {'all is well' if not any(row.wrong for row in rows) else 'NOT all is well'}")
    return not any(row.wrong for row in rows)


def some_of_each(lines: list[str]) -> list[str]:
    """Return the first lines of each kind, and how many more there are."""
    kinds: dict[str, list[str]] = {}
    for line in lines:
        kinds.setdefault(re.sub(r"\S*[0-9@]\S*|\(\S+\)", "", line), []).append(line)
    shown = []
    for alike in kinds.values():
        shown += alike[:EXAMPLES]
        if len(alike) > EXAMPLES:
            shown.append(f"and {len(alike) - EXAMPLES} more of this kind")
    return shown


if __name__ == "__main__":
    sys.exit(main())

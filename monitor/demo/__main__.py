"""The demo in parts, as compose.yaml runs them in containers of their own: python -m monitor.demo PART."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from monitor.demo import server, worker


def main(words: Sequence[str] | None = None) -> None:
    """Run one part until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m monitor.demo", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    feeds = parts.add_parser("feeds", help="serve the sample feeds")
    feeds.add_argument("--port", type=int, default=8000)
    mailbox = parts.add_parser("mailbox", help="take mail, and show it to a browser")
    mailbox.add_argument("--smtp", type=int, default=1025, help="the port for mail; 1025 if not given")
    mailbox.add_argument("--web", type=int, default=8025, help="the port for the browser; 8025 if not given")
    for part in (feeds, mailbox):
        part.add_argument("--host", default="127.0.0.1", help="who may come in: 0.0.0.0 for others than this machine")
    run = parts.add_parser("worker", help="run the worker on the sample feeds, with a digest each minute")
    run.add_argument("base", help="where the sample feeds are, such as http://127.0.0.1:8000")
    given = parser.parse_args(words)
    try:
        _run(given)
    except (OSError, ImportError) as e:
        sys.exit(f"python -m monitor.demo {given.part}: {e}")


def _run(given: argparse.Namespace) -> None:
    if given.part == "worker":
        folder = Path(os.environ.get("MONITOR_DATA", "data"))
        config = worker.write_config(folder, given.base)
        command = [sys.executable, "-m", "monitor", "--config", str(config), "--data", str(folder), "run"]
        os.execv(sys.executable, command)  # noqa: S606 (no shell is wanted; signals reach the worker itself)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if given.part == "feeds":
        with server.serve(datetime.now(UTC), given.host, given.port) as samples:
            print(f"{len(samples.feeds)} sample feeds on port {given.port}", flush=True)
            stop.wait()
        return
    from monitor.demo import mailbox  # what it needs comes only with the demo's image and the tests

    with mailbox.serve(given.host, given.smtp, given.web):
        print(f"mail is taken on port {given.smtp}; look at it: http://127.0.0.1:{given.web}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()

"""A real Dask cluster on loopback for tests: a scheduler and two workers, each a process of its own.

    with DaskCluster() as cluster:
        Cluster(cluster.address)
        cluster.workers()         # the processes that work now: nannies start new ones
        cluster.kill()            # the scheduler, and all with it

The scheduler is a process apart from the test, so that it can be killed. Tests that use it skip where the extra
`cluster` is not installed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import Any, Self

import pytest

from tests.builders import ROOT

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="the extra `cluster` is not installed")

SCHEDULER = """\
import json, os, sys
import dask
from distributed import LocalCluster

def main():
    options = json.loads(sys.argv[1])
    dask.config.set(options.pop("config"))
    with LocalCluster(dashboard_address=None, processes=True, threads_per_worker=1, **options) as cluster:
        print(json.dumps({"address": cluster.scheduler_address}), flush=True)
        for line in sys.stdin:
            if line.startswith("scale "):
                cluster.scale(int(line.split()[1]))
            pids = [nanny.pid for nanny in cluster.workers.values() if nanny.pid]
            print(json.dumps({"workers": pids}), flush=True)

if __name__ == "__main__":
    main()
"""


class DaskCluster:
    """Two workers of one thread each, unless said; `options` are those of dask.distributed.LocalCluster."""

    def __init__(self, n_workers: int = 2, *, environment: dict[str, str] | None = None, **options: Any) -> None:
        self._options = {"n_workers": n_workers, "config": {}, "host": "127.0.0.1", **options}
        self._environment = environment or {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCHEDULER, json.dumps(self._options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **self._environment},
            start_new_session=True,
        )
        self.address: str = self._answer()["address"]
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the cluster did not start"
        found: dict[str, Any] = json.loads(line)
        return found

    def workers(self, scale: int | None = None) -> list[int]:
        """Return the processes that work, after there were to be so many of them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"scale {scale}\n" if scale is not None else "\n")
        self._process.stdin.flush()
        return list(self._answer()["workers"])

    def kill(self) -> None:
        """Kill the scheduler and everything that it started, at once."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

"""One process a job on one data folder. The kernel frees a lock when its process dies, however it dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from monitor.errors import BusyError, StoreError


def is_held(data: Path, job: str) -> bool:
    """Tell whether some process holds the lock of `job`."""
    try:
        with hold(data, job):
            return False
    except BusyError:
        return True


@contextmanager
def hold(data: Path, job: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of `job` (worker, poll or deliver); wait for it `wait` seconds at most.

    Raises:
        BusyError: another process holds it.
        StoreError: the data folder cannot be written.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = FileLock(data / f"{job}.lock", thread_local=False)
        lock.acquire(timeout=wait)
    except Timeout as e:
        raise BusyError(f"{data}: another process is doing this already ({job}); one worker a data folder") from e
    except OSError as e:
        raise StoreError(f"{data}: cannot be used as the data folder: {e.strerror or e}") from e
    try:
        yield
    finally:
        lock.release()

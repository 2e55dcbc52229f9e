"""Makes the databases beside it: each by the program as it was when that was its schema.

    python -m tests.schemas.make           those that are missing; the newest by the program as it stands here
    python -m tests.schemas.make m005      that one anew

A version's code is taken from the repository's history, and lives `live.py` with the libraries of today. The databases
of m001 and m002 never were: m003 came in the same commit. `m008-words` is what m008 made after it was edited, and
before that was noticed and m010 put right what the earlier ones lack.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from monitor.store import MIGRATIONS

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
COMMITS = {
    "m003": "fd5990a",
    "m004": "956ce26",
    "m005": "d1a5760",
    "m006": "c4c8175",
    "m007": "b1150d3",
    "m008": "d884587",
    "m008-words": "af497da",
    "m009": "b4f7022",
}
"""The last version of each schema, or one that runs; the newest schema is made by the working tree."""


def place(name: str) -> Path:
    """Return where the database of a schema is kept, packed."""
    return FOLDER / f"{name}.db.gz"


def unpack(name: str, target: Path) -> Path:
    """Write the database of a schema to `target`."""
    target.write_bytes(gzip.decompress(place(name).read_bytes()))
    return target


def make(name: str) -> None:
    """Make the database of a schema."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        code = ROOT
        if name in COMMITS:
            code = folder / "code"
            packed = subprocess.run(["git", "archive", COMMITS[name]], capture_output=True, check=True, cwd=ROOT).stdout
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(code, filter="data")
        environment = {n: v for n, v in os.environ.items() if not n.startswith("MONITOR_")} | {"PYTHONPATH": str(code)}
        subprocess.run(
            [sys.executable, str(FOLDER / "live.py"), "."], check=True, cwd=folder, env=environment, timeout=300
        )
        place(name).write_bytes(gzip.compress((folder / "monitor.db").read_bytes(), 9, mtime=0))


if __name__ == "__main__":
    newest = MIGRATIONS[-1][:4]
    for wanted in sys.argv[1:] or [name for name in (*COMMITS, newest) if not place(name).exists()]:
        print(wanted)
        make(wanted)

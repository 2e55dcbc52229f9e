"""The audit of the locks: a vulnerability fails, a database that cannot be reached does not, all other faults do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bench.audit import IGNORED, AuditError, Found, audit, ignored, report
from tests.builders import ROOT

Tool = Callable[..., list[str]]
LOCK = "wheel==0.1 \\\n    --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Make a stand-in for pip-audit: it writes these answers, says this to stderr, and ends so."""

    def make(answers: Any = None, stderr: str = "", status: int = 0) -> list[str]:
        script = tmp_path / "tool.py"
        script.write_text(
            "import sys, json; out = sys.argv[sys.argv.index('--output') + 1]\n"
            "open(sys.argv[0] + '.words', 'a').write(' '.join(sys.argv[1:]) + chr(10))\n"
            f"answers = {answers!r}\n"
            "if answers is not None: json.dump({'dependencies': answers, 'fixes': []}, open(out, 'w'))\n"
            f"sys.stderr.write({stderr!r}); sys.exit({status})"
        )
        return [sys.executable, str(script)]

    return make


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock."""
    path = tmp_path / "run.lock"
    path.write_text(LOCK)
    return path


VULNERABLE = {
    "name": "wheel", "version": "0.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2"], "aliases": ["CVE-2026-1"], "description": "d"}],
}  # fmt: skip
SOUND = {"name": "sound", "version": "1", "vulns": []}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited: unknown (1)"}


def test_a_vulnerability_fails_and_is_named_with_its_mend(tool: Tool, lock: Path) -> None:
    """pip-audit ends with 1 then, as with every error."""
    lines, status = report(audit(tool([VULNERABLE, SOUND], "Found 1 known vulnerability", 1), [lock]), {})
    assert lines == [
        "wheel 0.1: PYSEC-1 CVE-2026-1; mended in: 0.2", "2 packages audited, 1 vulnerabilities that count",
    ]  # fmt: skip
    assert status == 1


def test_what_does_not_concern_us_is_told_and_does_not_count(tool: Tool, lock: Path) -> None:
    """By either of its names; for a time, after which it must be looked at again."""
    text = "# words\n\nCVE-2026-1 2026-12-31 only where a hostile wheel is built, and none is\n"
    found = audit(tool([VULNERABLE], status=1), [lock])
    lines, status = report(found, ignored(text, date(2026, 12, 31)))
    assert (status, "ignored: only where a hostile wheel" in lines[0]) == (0, True)
    assert report(found, ignored(text, date(2027, 1, 1)))[1] == 1
    with pytest.raises(AuditError, match=r"audit-ignored\.txt:1: write it so"):
        ignored("CVE-2026-1 because", date(2026, 12, 31))


@pytest.mark.parametrize(
    ("answers", "stderr"),
    [
        ([SKIPPED, {**SKIPPED, "name": "other"}], ""),
        (None, "Traceback\nrequests.exceptions.ConnectionError: Max retries exceeded with url: /v1/query"),
        (None, "ERROR:pip_audit._cli:pip_audit._service.interface.ConnectionError: Could not connect"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_in_a_line_and_fails_nothing(
    tool: Tool, lock: Path, answers: Any, stderr: str
) -> None:
    """Where there is none, or one that knows not one of the packages: nothing was audited, and that is said."""
    lines, status = report(audit(tool(answers, stderr, int(bool(stderr))), [lock]), {})
    assert lines == ["no database of vulnerabilities can be reached from here: nothing was audited"]
    assert status == 0


def test_one_package_that_nobody_knows_is_named(tool: Tool, lock: Path) -> None:
    """The others were audited."""
    lines, status = report(audit(tool([SOUND, SKIPPED]), [lock]), {})
    assert lines == ["nothing is known of: unknown", "1 packages audited, 0 vulnerabilities that count"]
    assert status == 0
    assert report(Found(), {})[1] == 0


def test_an_audit_that_goes_wrong_otherwise_is_no_clean_bill(tool: Tool, lock: Path) -> None:
    """A lock that cannot be read, an option that is gone."""
    with pytest.raises(AuditError, match=r"run.lock: could not be audited: error: unrecognized arguments"):
        audit(tool(None, "usage: …\nerror: unrecognized arguments: --disable-pip", 2), [lock])
    done = subprocess.run(
        [sys.executable, "bench/audit.py", "/nowhere/pip-audit"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("audit: ")


def test_every_lock_is_asked_of_with_its_hashes_and_nothing_is_resolved(tool: Tool, tmp_path: Path) -> None:
    """CI runs it, over all that is pinned."""
    locks = sorted((ROOT / "requirements").glob("*.lock"))
    audit(tool([SOUND]), locks)
    said = (tmp_path / "tool.py.words").read_text().splitlines()
    assert len(said) == len(locks) >= 8
    for words, path in zip(said, locks, strict=True):
        assert words.startswith(f"--requirement {path} --require-hashes --disable-pip")
        assert re.search(r"--hash=sha256:", path.read_text("utf-8"))
    assert "make audit" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert ignored(IGNORED.read_text("utf-8"), date(2026, 1, 1)) == {}, "each needs a reason in the commit that adds it"

"""Are there known vulnerabilities in what the locks pin: `make audit` asks the database of PyPI, by pip-audit.

    python bench/audit.py PIP-AUDIT [LOCK…]    all of requirements/*.lock unless named

Exit 0 when there are none, and when there is nobody to ask, which one line says: a machine without that database can
be no judge of it. Exit 1 when there are some, 2 when something else went wrong. What is known and does not concern us
stands in requirements/audit-ignored.txt, each for a time: `ID YYYY-MM-DD reason`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
IGNORED = ROOT / "requirements" / "audit-ignored.txt"
_NOBODY = re.compile(r"ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|ServiceError|Max retries")
"""What pip-audit ends with when nobody answers."""


class AuditError(Exception):
    """The audit could not be made, and not for want of a database."""


@dataclass
class Found:
    """What an audit found: vulnerabilities by package, and what nothing could be learnt of."""

    vulnerable: set[tuple[str, str, str, str]] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)


def audit(tool: Sequence[str], locks: Sequence[Path]) -> Found:
    """Ask of everything that the locks pin.

    Raises:
        AuditError: a lock cannot be read, or the tool does not work.
    """
    found = Found()
    for lock in locks:
        for package in _answers(tool, lock):
            name = f"{package['name']} {package.get('version', '')}".strip()
            found.asked.add(name)
            if "skip_reason" in package:
                found.unanswered.add(name)
            for one in package.get("vulns", ()):
                mended = ", ".join(one.get("fix_versions") or ["none yet"])
                found.vulnerable.add((name, one["id"], mended, " ".join(one.get("aliases", ()))))
    return found


def _answers(tool: Sequence[str], lock: Path) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "answers.json"
        done = subprocess.run(  # noqa: S603 (our own words)
            # What the lock says is what is asked of: nothing is resolved, installed or downloaded.
            [*tool, "--requirement", str(lock), "--require-hashes", "--disable-pip", "--progress-spinner", "off",
             "--format", "json", "--output", str(out)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if out.exists() and out.stat().st_size:
            return list(json.loads(out.read_text("utf-8"))["dependencies"])
    if _NOBODY.search(done.stderr):
        return [{"name": lock.name, "skip_reason": "nobody answers"}]
    last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
    raise AuditError(f"{lock}: could not be audited: {last}")


def ignored(text: str, today: date) -> dict[str, str]:
    """Return which vulnerabilities do not count today, and why.

    Raises:
        AuditError: a line is none of `ID YYYY-MM-DD reason`.
    """
    counted = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, until, reason = line.split(maxsplit=2)
            if date.fromisoformat(until) >= today:
                counted[name] = reason
        except ValueError as e:
            raise AuditError(f"{IGNORED.name}:{number}: write it so: ID YYYY-MM-DD reason") from e
    return counted


def report(found: Found, known: dict[str, str]) -> tuple[list[str], int]:
    """Return what to print, and the exit status."""
    lines, bad = [], 0
    for name, vulnerability, mended, aliases in sorted(found.vulnerable):
        reason = next((known[one] for one in (vulnerability, *aliases.split()) if one in known), "")
        ours = f"; ignored: {reason}" if reason else ""
        lines.append(f"{' '.join((f'{name}: {vulnerability}', *aliases.split()))}; mended in: {mended}{ours}")
        bad += not reason
    if found.asked and found.asked == found.unanswered:
        return ["no database of vulnerabilities can be reached from here: nothing was audited"], 0
    if found.unanswered:
        lines.append(f"nothing is known of: {', '.join(sorted(found.unanswered))}")
    lines.append(f"{len(found.asked - found.unanswered)} packages audited, {bad} vulnerabilities that count")
    return lines, int(bad > 0)


def main() -> int:
    """Audit the locks."""
    locks = [Path(word) for word in sys.argv[2:]] or sorted((ROOT / "requirements").glob("*.lock"))
    try:
        known = ignored(IGNORED.read_text("utf-8"), datetime.now(UTC).date())
        lines, status = report(audit(sys.argv[1:2], locks), known)
    except (AuditError, OSError) as e:
        print(f"audit: {e}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())

"""What may stand in feeds.yaml, written down: its JSON Schema and docs/configuration.md.

Run with `make docs` after a key or its description changed; a test fails until then.
"""

from __future__ import annotations

import os
from pathlib import Path

from monitor.reference import configuration_text, schema_text

DOCS = Path(__file__).parent.parent / "docs"


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all; one that is so already is left alone."""
    if path.is_file() and path.read_bytes() == text.encode():
        print(f"{path.name}: as it was")
        return
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(text.encode())
    os.replace(new, path)
    print(f"{path.name}: written")


def main() -> None:
    """Write both."""
    write(DOCS / "feeds.schema.json", schema_text())
    write(DOCS / "configuration.md", configuration_text())


if __name__ == "__main__":
    main()

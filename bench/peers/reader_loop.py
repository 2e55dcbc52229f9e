"""lemon24/reader as its guide shows it.

reader_loop.py DATABASE            updates all feeds and prints how many entries are new
reader_loop.py DATABASE add URLS   makes feeds known
"""

from __future__ import annotations

import sys
from pathlib import Path

from reader import make_reader

WORKERS = 10


def main() -> None:
    """Add feeds, or update them."""
    with make_reader(sys.argv[1]) as reader:
        if sys.argv[2:3] == ["add"]:
            for url in Path(sys.argv[3]).read_text("utf-8").split():
                reader.add_feed(url)
            return
        new = failed = 0
        # `scheduled=False`: now, not when an hour has passed.
        for result in reader.update_feeds_iter(scheduled=False, workers=WORKERS):
            if isinstance(result.value, Exception):
                failed += 1
            elif result.value is not None:
                new += result.value.new
        print(f"{new} new, {failed} failed")


if __name__ == "__main__":
    main()

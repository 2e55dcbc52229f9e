"""What the archive is asked: items by their words, and whole. The SQL of `search` and `export`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from monitor.errors import StoreError
from monitor.model import Archived, Selection, Told
from monitor.store import Store, _iso, _must, _time

BATCH = 500
"""So many items are in memory at a time."""
KEPT = "(items.title <> '' OR items.summary <> '')"
_ORDERS = {
    "newest": "items.published DESC, items.id DESC",
    "oldest": "items.published, items.id",
    "best": "items_fts.rank, items.published DESC",
}
ORDERS = tuple(_ORDERS)


class Archive(Store):
    """The database, to be looked into."""

    def found(self, index: str, chosen: Selection, order: str = "newest") -> Iterator[Archived]:
        """Yield the items that the full-text index names, and that were chosen, in order.

        Where `index` is empty, all that were chosen; the newest first then, if the best were asked for.

        Raises:
            StoreError: there is no index, for SQLite was built without FTS5.
        """
        if not self.searchable:
            [row] = self._rows("SELECT sqlite_version() AS version")
            raise StoreError(
                f"{self.path}: cannot be searched: the SQLite {row['version']} of this Python was built without FTS5;"
                " use another Python"
            )
        condition, values = _condition(chosen)
        tables = "items LEFT JOIN verdicts ON item_id = items.id"
        if index:
            tables += " JOIN items_fts ON items_fts.rowid = items.id AND items_fts MATCH :index"
        by = _ORDERS["newest" if order == "best" and not index else order]
        ids = [
            row["id"]
            for row in self._rows(
                f"SELECT items.id FROM {tables} WHERE {condition} ORDER BY {by}",  # noqa: S608 (our own words)
                {**values, "index": index},
            )
        ]
        for at in range(0, len(ids), BATCH):
            by_number = {one.number: one for one in self._archived(ids[at : at + BATCH])}
            yield from (by_number[number] for number in ids[at : at + BATCH] if number in by_number)

    def everything(self, chosen: Selection) -> Iterator[Archived]:
        """Yield all that was chosen, in the order of coming in."""
        condition, values = _condition(chosen)
        last = 0
        while True:
            ids = [
                row["id"]
                for row in self._rows(
                    "SELECT items.id FROM items LEFT JOIN verdicts ON item_id = items.id"  # noqa: S608 (our own words)
                    f" WHERE items.id > :last AND {condition} ORDER BY items.id LIMIT :batch",
                    {**values, "last": last, "batch": BATCH},
                )
            ]
            if not ids:
                return
            yield from self._archived(ids)
            last = ids[-1]

    def extent(self, chosen: Selection) -> tuple[int, datetime | None]:
        """Return how many items were chosen, and the date of the oldest."""
        condition, values = _condition(chosen)
        [row] = self._rows(
            "SELECT count(*) AS items, min(items.published) AS oldest FROM items"  # noqa: S608 (our own words)
            f" LEFT JOIN verdicts ON item_id = items.id WHERE {condition}",
            values,
        )
        return row["items"], _time(row["oldest"])

    def themes(self) -> list[str]:
        """Return the themes that items have."""
        return [row["theme"] for row in self._rows("SELECT DISTINCT theme FROM item_themes ORDER BY theme")]

    def unindexed(self) -> int:
        """Return how many items are not in the full-text index yet."""
        count: int = self._rows("SELECT count(*) AS n FROM items WHERE words IS NULL")[0]["n"]
        return count

    def _archived(self, ids: Sequence[int]) -> list[Archived]:
        """Return the items of these numbers, the lowest first."""
        marks = ",".join("?" * len(ids))
        rows = self._rows(
            "SELECT items.*, verdicts.* FROM items LEFT JOIN verdicts ON item_id = items.id"  # noqa: S608
            f" WHERE items.id IN ({marks}) AND {KEPT} ORDER BY items.id",
            ids,
        )
        told: dict[int, list[Told]] = {}
        for row in self._rows(
            "SELECT told.item_id, told.digest, told.edition_id, editions.until FROM told"  # noqa: S608
            " JOIN editions ON editions.id = told.edition_id"
            f" WHERE told.item_id IN ({marks}) AND story_id IS NOT NULL AND editions.messages > 0"
            " ORDER BY editions.id",
            ids,
        ):
            one = Told(row["digest"], row["edition_id"], _must(row["until"]))
            told.setdefault(row["item_id"], []).append(one)
        return [
            Archived(judged.id, judged.item, judged.verdict, row["likelihood"], tuple(told.get(judged.id, ())))
            for row, judged in zip(rows, self._judged(rows), strict=True)
        ]


_CONDITIONS = {
    "since": "items.published >= :since",
    "until": "items.published < :until",
    "theme": "EXISTS (SELECT 1 FROM item_themes t WHERE t.item_id = items.id AND t.theme = :theme)",
    "outlet": "instr(lower(items.outlet), lower(:outlet))",
    "language": "(items.language = :language OR items.language LIKE :language || '-%')",
    "hits": "verdicts.covered",
}


def _condition(chosen: Selection) -> tuple[str, dict[str, Any]]:
    """Return what an item must fulfil, and the values that stand in it."""
    values = {name: getattr(chosen, name) for name in _CONDITIONS if getattr(chosen, name)}
    sql = " AND ".join([KEPT, *(_CONDITIONS[name] for name in values)])
    return sql, {name: _iso(value) if isinstance(value, datetime) else value for name, value in values.items()}

"""The schema of the database, step by step; only ever appended to.

Apart from `monitor.store`, which names them in `MIGRATIONS`, for sqlite-utils takes a fifth of a second to import and
a database is brought up to date once in its life.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations
from sqlite_utils.db import Table

migrations = Migrations("monitor")


@migrations()
def m001_feeds_items_verdicts(db: Database) -> None:
    """Create what polling writes."""
    _table(db, "feeds").create(
        {
            "url": str, "title": str, "etag": str, "last_modified": str, "body_hash": str, "due": str,
            "last_polled": str, "last_ok": str, "failures": int, "failing_since": str, "error": str,
        },
        pk="url",
    )  # fmt: skip
    items = _table(db, "items").create(
        {
            "id": int, "feed_url": str, "key": str, "link": str, "title": str, "summary": str, "outlet": str,
            "language": str, "published": str, "dated": int, "first_seen": str, "backlog": int, "fingerprint": str,
        },
        pk="id",
        not_null={"feed_url", "key"},
    )  # fmt: skip
    items.create_index(["feed_url", "key"], unique=True)
    items.create_index(["first_seen"])
    items.create_index(["link"])
    _table(db, "verdicts").create(
        {"item_id": int, "covered": int, "score": float, "reason": str, "judged": str},
        pk="item_id",
        foreign_keys=[("item_id", "items", "id")],
    )
    _table(db, "verdicts").create_index(["covered"])
    _table(db, "item_themes").create(
        {"item_id": int, "theme": str, "score": float},
        pk=("item_id", "theme"),
        foreign_keys=[("item_id", "items", "id")],
    )
    evidence = _table(db, "evidence").create(
        {"item_id": int, "clause": str, "keyword": str, "field": str, "start": int, "end": int},
        foreign_keys=[("item_id", "items", "id")],
    )
    evidence.create_index(["item_id"])


@migrations()
def m002_digests_outbox(db: Database) -> None:
    """Create what editions and deliveries write."""
    _table(db, "digests").create({"name": str, "first_seen": str, "baseline": str}, pk="name")
    editions = _table(db, "editions").create(
        {
            "id": int, "digest": str, "slot": str, "since": str, "until": str,
            "subject": str, "stories": int, "reports": int, "messages": int,
        },
        pk="id",
        foreign_keys=[("digest", "digests", "name")],
    )  # fmt: skip
    editions.create_index(["digest", "slot"], unique=True)  # NULLs differ: editions by hand have no slot
    stories = _table(db, "stories").create(
        {
            "id": int, "edition_id": int, "digest": str, "position": int, "continues": int,
            "lead_item_id": int, "title": str, "themes": str, "told": str,
        },
        pk="id",
        foreign_keys=[("edition_id", "editions", "id"), ("lead_item_id", "items", "id")],
    )  # fmt: skip
    stories.create_index(["digest", "told"])
    told = _table(db, "told").create(
        {"digest": str, "item_id": int, "edition_id": int, "story_id": int},
        pk=("digest", "item_id"),
        foreign_keys=[("item_id", "items", "id"), ("edition_id", "editions", "id"), ("story_id", "stories", "id")],
    )
    told.create_index(["story_id"])
    messages = _table(db, "messages").create(
        {
            "id": int, "edition_id": int, "message_id": str, "sender": str, "recipient": str,
            "subject": str, "raw": bytes, "created": str,
        },
        pk="id",
        foreign_keys=[("edition_id", "editions", "id")],
    )  # fmt: skip
    messages.create_index(["message_id"], unique=True)
    deliveries = _table(db, "deliveries").create(
        {
            "id": int, "message_id": int, "state": str, "attempts": int, "doubts": int,
            "next_try": str, "detail": str, "updated": str,
        },
        pk="id",
        foreign_keys=[("message_id", "messages", "id")],
    )  # fmt: skip
    deliveries.create_index(["state", "next_try"])


@migrations()
def m003_jobs_and_notes(db: Database) -> None:
    """Create what the worker says of itself."""
    _table(db, "jobs").create({"name": str, "started": str, "finished": str, "succeeded": str, "error": str}, pk="name")
    _table(db, "notes").create({"name": str, "text": str, "since": str}, pk="name")


@migrations()
def m004_second_opinion_labels(db: Database) -> None:
    """Create what the second opinion says, and what readers say of items."""
    verdicts = _table(db, "verdicts")
    for column, kind in (
        ("likelihood", float),
        ("doubted", int),
        ("alone", str),
        ("reads_like", str),
        ("withdrawn", str),
    ):
        verdicts.add_column(column, kind)
    _table(db, "labels").create(
        {
            "key": str, "link": str, "title": str, "summary": str, "language": str, "outlet": str,
            "relevant": int, "themes": str, "missed": int, "said": str,
        },
        pk="key",
    )  # fmt: skip


@migrations()
def m005_kept_editions(db: Database) -> None:
    """Create what an edition is made again from, and what the next ones compare themselves with."""
    editions = _table(db, "editions")
    for column, kind in (("counts", str), ("zone", str), ("frame", str), ("kept", bytes), ("templates", str)):
        editions.add_column(column, kind)
    _table(db, "template_sets").create({"hash": str, "files": bytes, "turn": int}, pk="hash")
    items = _table(db, "items")
    items.create_index(["feed_url", "first_seen"])


def apply(connection: sqlite3.Connection) -> None:
    """Apply what the database has not had yet; the caller holds the write lock.

    Raises:
        sqlite3.Error: one of them cannot be applied.
    """
    migrations.apply(Database(connection))


@migrations()
def m006_manners_and_conditions(db: Database) -> None:
    """Create what politeness and the condition of feeds go by, and the articles' own texts."""
    feeds = _table(db, "feeds")
    for column, kind in (
        ("trouble", str), ("pace", float), ("hint", float), ("skip", str), ("moved_to", str), ("moved_polls", int),
        ("moved_since", str), ("gone", str), ("seen", bytes), ("newest", str), ("newest_key", str),
        ("empty_polls", int), ("empty_since", str), ("odd_polls", int), ("odd", str), ("gaps", str),
    ):  # fmt: skip
        feeds.add_column(column, kind)
    _table(db, "items").add_column("text", str)


@migrations()
def m007_edits(db: Database) -> None:
    """Create what tells what an edit of feeds.yaml leaves to do: rules of verdicts, reach of editions, digests away."""
    _table(db, "verdicts").add_column("rules", str)
    _table(db, "digests").add_column("gone_since", str)
    _table(db, "editions").add_column("last_item", int)
    db.execute(
        "UPDATE editions SET last_item = (SELECT max(id) FROM items WHERE first_seen <= until)"
        " WHERE id IN (SELECT max(id) FROM editions GROUP BY digest)"
    )


@migrations()
def m008_search(db: Database) -> None:
    """Create the full-text index, and what people browse with Datasette.

    `words` is NULL until it is filled (`Store.index_words`): polling does not wait for it.
    """
    items = _table(db, "items")
    items.add_column("words", str)
    items.create_index(["published"])
    db.execute("CREATE INDEX items_unindexed ON items (id) WHERE words IS NULL")
    _table(db, "told").create_index(["item_id"])
    for name, select in _VIEWS.items():
        db.create_view(name, select)
    make_index(db.conn)


@migrations()
def m009_merged_deliveries(db: Database) -> None:
    """Create what is needed to tell in the next mail what a recipient did not get."""
    deliveries = _table(db, "deliveries")
    deliveries.add_column("merged_into", int)
    deliveries.add_column("content", int, not_null_default=0)
    # Before, only the words told what was refused: an address at RCPT, a mail after two days, or the message itself.
    db.execute("UPDATE deliveries SET content = 1 WHERE state = 'refused' AND detail LIKE 'the message:%'")
    deliveries.create_index(["merged_into"])
    deliveries.create_index(["message_id"])
    _table(db, "messages").add_column("kept", bytes)
    _table(db, "messages").create_index(["edition_id"])
    _table(db, "editions").add_column("merged_into", int)


@migrations()
def m010_upgrades(db: Database) -> None:
    """Create what says which version of the program made the schema; show words that were found, not keywords.

    The view of hits is made anew even where it has the words already: for some days m008 made it so.
    """
    _table(db, "upgrades").create({"version": str, "migration": str})
    db.execute("DROP VIEW IF EXISTS hits")
    db.create_view("hits", _HITS)


def can_search(connection: sqlite3.Connection) -> bool:
    """Tell whether this SQLite was built with FTS5."""
    return bool(connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone())


def make_index(connection: sqlite3.Connection) -> None:
    """Create the full-text index of `items.words` where there is none; an SQLite without FTS5 works on without it.

    Written out, for Datasette finds an index by the very words `content="items"`.
    """
    if not can_search(connection):
        return
    connection.execute(
        'CREATE VIRTUAL TABLE IF NOT EXISTS items_fts USING fts5 (words, content="items", content_rowid="id",'
        " tokenize='porter unicode61')"
    )
    connection.execute(
        "CREATE TRIGGER IF NOT EXISTS items_words_changed AFTER UPDATE OF words ON items"
        " WHEN old.words IS NOT new.words BEGIN"
        " INSERT INTO items_fts (items_fts, rowid, words) SELECT 'delete', old.id, old.words WHERE old.words <> '';"
        " INSERT INTO items_fts (rowid, words) SELECT new.id, new.words WHERE new.words <> '';"
        " END"
    )
    connection.execute(
        "CREATE TRIGGER IF NOT EXISTS items_words_gone AFTER DELETE ON items WHEN old.words <> '' BEGIN"
        " INSERT INTO items_fts (items_fts, rowid, words) VALUES ('delete', old.id, old.words); END"
    )


# The views name no feed: its address may hold a password.
_THEMES = (
    "(SELECT json_group_array(theme) FROM"
    " (SELECT theme FROM item_themes WHERE item_id = items.id ORDER BY score DESC, theme)) AS themes"
)
_TOLD = "(SELECT group_concat(DISTINCT digest) FROM told WHERE item_id = items.id AND story_id IS NOT NULL) AS told"
_VIEWS = {
    "archive": (
        "SELECT items.id AS number, published, title, summary, link, outlet, language,"  # noqa: S608 (our own words)
        f" coalesce(covered, 0) AS hit, {_THEMES}, {_TOLD}"
        " FROM items LEFT JOIN verdicts ON item_id = items.id WHERE title <> '' OR summary <> ''"
    ),
    "hits": (
        f"SELECT items.id AS number, published, title, summary, link, outlet, language, {_THEMES},"  # noqa: S608
        " coalesce(doubted, 0) AS doubted,"
        " (SELECT json_group_array(DISTINCT keyword) FROM evidence WHERE item_id = items.id AND clause LIKE 'theme.%')"
        f" AS keywords, {_TOLD}"
        " FROM items JOIN verdicts ON item_id = items.id AND covered WHERE title <> '' OR summary <> ''"
    ),
    "told_stories": (
        "SELECT edition_id AS edition, stories.digest, editions.until AS told, position + 1 AS place, stories.title,"
        " stories.themes, continues IS NOT NULL AS \"update\", items.link, items.outlet, items.language,"
        " (SELECT count(*) FROM told WHERE told.story_id = stories.id) AS reports"
        " FROM stories JOIN editions ON editions.id = edition_id JOIN items ON items.id = lead_item_id"
        " WHERE editions.messages > 0"
    ),
}  # fmt: skip
_HITS = (
    f"SELECT items.id AS number, published, title, summary, link, outlet, language, {_THEMES},"  # noqa: S608
    " coalesce(doubted, 0) AS doubted,"
    " (SELECT json_group_array(DISTINCT substr(CASE field WHEN 'title' THEN title ELSE summary END,"
    ' start + 1, "end" - start)) FROM evidence'
    " WHERE item_id = items.id AND clause LIKE 'theme.%' AND field IN ('title', 'summary'))"
    f" AS words, {_TOLD}"
    " FROM items JOIN verdicts ON item_id = items.id AND covered WHERE title <> '' OR summary <> ''"
)


def _table(db: Database, name: str) -> Table:
    return db.table(name)

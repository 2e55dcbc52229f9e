"""Files that come with the program: beside the source in a checkout, inside the package when installed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from monitor.digest.likeness import Lexicon, Likeness, Weights
from monitor.errors import TemplateError
from monitor.model import Templates

PACKAGE = Path(__file__).parent
_KINDS = (".html", ".txt", ".css", ".js")


def templates(config: Path) -> Path:
    """Return the folder of templates beside the user's feeds.yaml, whether there is one or not."""
    return config.resolve().parent / "templates"


def shipped_templates() -> Path:
    """Return the folder of the templates that came along."""
    checkout = PACKAGE.parent / "templates"
    return checkout if (checkout / "digest.html").is_file() else PACKAGE / "_templates"


def read_templates(folder: Path) -> Templates:
    """Return the templates of a folder, if there is one; those that it has not are the ones that came along.

    Raises:
        TemplateError: one of them cannot be read.
    """
    sources: dict[str, str] = {}
    places: dict[str, str] = {}
    for path in (*sorted(shipped_templates().iterdir()), *_files(folder)):
        if path.suffix not in _KINDS or path.name.startswith("."):
            continue
        try:
            sources[path.name] = path.read_text("utf-8-sig")  # some editors begin a file with a mark of its encoding
        except (OSError, UnicodeDecodeError) as e:
            if path.name not in sources:  # none of ours: if a template includes it, that is the fault
                continue
            why = e.strerror if isinstance(e, OSError) else f"is not UTF-8 (byte {e.start})"
            raise TemplateError(f"{path}: cannot be read: {why}") from e
        places[path.name] = str(path)
    return Templates(sources, places)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:  # nobody wrote templates of their own yet
        return []
    except OSError as e:
        raise TemplateError(f"{folder}: cannot be read: {e.strerror}") from e


def weights() -> Path:
    """Return the folder of the weights that came along."""
    return PACKAGE / "weights"


def lexicon() -> Lexicon:
    """Return what is called by several names, as it came along."""
    return Lexicon((weights() / "lexicon.txt").read_text("utf-8"))


def likeness_file() -> Path:
    """Return where the weights are by which reports are joined into stories."""
    return weights() / "likeness.json"


@cache
def likeness() -> Likeness:
    """Return what tells whether two reports are of one event, as it came along."""
    return Likeness(lexicon(), Weights.of(json.loads(likeness_file().read_text("utf-8"))))


def labels() -> Path:
    """Return the folder of the labelled items that came along."""
    checkout = PACKAGE.parent / "labels"
    return checkout if checkout.is_dir() else PACKAGE / "_labels"


def shipped_config() -> Path:
    """Return the feeds.yaml that came along."""
    checkout = PACKAGE.parent / "feeds.yaml"
    return checkout if checkout.is_file() else PACKAGE / "_feeds.yaml"


def datasette() -> str:
    """Return the metadata with which Datasette shows the archive."""
    return (PACKAGE / "datasette.json").read_text("utf-8")


def shipped_schema() -> Path:
    """Return the JSON Schema of feeds.yaml that came along."""
    inside = checkout()
    return inside / "docs" / "feeds.schema.json" if inside else PACKAGE / "_schema.json"


def shipped_compose() -> Path:
    """Return the compose.yaml that came along."""
    inside = checkout()
    return inside / "compose.yaml" if inside else PACKAGE / "_compose.yaml"


def shipped_environment() -> Path:
    """Return the sample of a .env that came along."""
    inside = checkout()
    return inside / ".env.example" if inside else PACKAGE / "_env.example"


def checkout() -> Path | None:
    """Return the folder of the source that this runs in, from which an image can be built; None when installed."""
    folder = PACKAGE.parent
    return folder if (folder / "Dockerfile").is_file() and (folder / "compose.yaml").is_file() else None

"""Files that come with the program: beside the source in a checkout, inside the package when installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def templates(config: Path) -> Path:
    """Return the templates beside the user's feeds.yaml where there are any, else those that came along."""
    own = config.resolve().parent / "templates"
    if (own / "digest.html").is_file():
        return own
    checkout = PACKAGE.parent / "templates"
    return checkout if (checkout / "digest.html").is_file() else PACKAGE / "_templates"


def weights() -> Path:
    """Return the folder of the weights that came along."""
    return PACKAGE / "weights"


def labels() -> Path:
    """Return the folder of the labelled items that came along."""
    checkout = PACKAGE.parent / "labels"
    return checkout if checkout.is_dir() else PACKAGE / "_labels"


def shipped_config() -> Path:
    """Return the feeds.yaml that came along."""
    checkout = PACKAGE.parent / "feeds.yaml"
    return checkout if checkout.is_file() else PACKAGE / "_feeds.yaml"

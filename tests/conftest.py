"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """A command that is run within a test sends the logs to that test's stderr, which is closed when it ends."""
    yield
    structlog.reset_defaults()

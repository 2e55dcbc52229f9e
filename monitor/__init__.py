"""A news monitor for two companies: polls feeds, judges items, mails a digest."""

__version__ = "0.1.0"

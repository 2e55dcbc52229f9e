"""Deciding what an item is about."""

"""Telling people: stories, editions, the rendered mail and its delivery."""

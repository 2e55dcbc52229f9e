"""Getting the news: fetch, parse, normalise; when to ask again."""

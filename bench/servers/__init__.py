"""The servers that are measured; each is started from a private folder, with the same site."""

"""The crash test: a real server that is killed again and again, and what became of each message."""

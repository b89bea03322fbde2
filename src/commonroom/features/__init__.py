"""One file a specification; catalog.py lists them all."""

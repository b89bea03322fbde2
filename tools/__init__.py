"""Checks and generators of the project: what `make check`, `make docs` and `make lock` run."""

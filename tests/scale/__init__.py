"""A running server with as many accounts in files as an institution has, and with load."""

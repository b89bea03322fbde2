"""What the service keeps: narrow typed stores, and their backends (memory, SQLite, PostgreSQL)."""

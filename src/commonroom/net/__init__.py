"""The asyncio edge: TLS, connections and listeners for every kind of stream."""

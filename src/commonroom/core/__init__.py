"""Sessions, routing, the rules for message and presence, and the tables that features fill."""

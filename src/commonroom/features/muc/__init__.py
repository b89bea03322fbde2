"""XEP-0045: Multi-User Chat: rooms as pure state machines, a file per chapter, and their service."""

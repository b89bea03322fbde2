"""Common Room: a Jabber/XMPP chat service for an institution."""

__version__ = "0.1.0.dev0"

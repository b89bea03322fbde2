"""XML as XMPP uses it (RFC 6120 §11): a small tree, a strict parser of streams, a serializer."""

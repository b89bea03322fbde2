"""The namespaces that more than one file needs."""

NS_XML = "http://www.w3.org/XML/1998/namespace"

# RFC 6120, RFC 6121
NS_CLIENT = "jabber:client"
NS_SERVER = "jabber:server"
NS_STREAMS = "http://etherx.jabber.org/streams"
NS_STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
NS_STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
NS_SESSION = "urn:ietf:params:xml:ns:xmpp-session"  # RFC 3921 §3; now optional
NS_ROSTER = "jabber:iq:roster"
NS_PREAPPROVAL = "urn:xmpp:features:pre-approval"

# XEP-0440
NS_SASL_CHANNEL_BINDING = "urn:xmpp:sasl-cb:0"

# RFC 6121 §2.6.1
NS_ROSTER_VERSIONING = "urn:xmpp:features:rosterver"

# XEP-0199
NS_PING = "urn:xmpp:ping"

# XEP-0077
NS_REGISTER = "jabber:iq:register"

# XEP-0030
NS_DISCO_INFO = "http://jabber.org/protocol/disco#info"

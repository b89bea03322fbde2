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

# XEP-0388, XEP-0386, XEP-0484
NS_SASL2 = "urn:xmpp:sasl:2"
NS_BIND2 = "urn:xmpp:bind:0"
NS_FAST = "urn:xmpp:fast:0"

# RFC 6121 §2.6.1
NS_ROSTER_VERSIONING = "urn:xmpp:features:rosterver"

# XEP-0199
NS_PING = "urn:xmpp:ping"

# XEP-0077
NS_REGISTER = "jabber:iq:register"

# XEP-0030
NS_DISCO_INFO = "http://jabber.org/protocol/disco#info"
NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items"

# XEP-0085
NS_CHAT_STATES = "http://jabber.org/protocol/chatstates"

# XEP-0334
NS_HINTS = "urn:xmpp:hints"

# XEP-0045, XEP-0249
NS_MUC_USER = "http://jabber.org/protocol/muc#user"
NS_CONFERENCE = "jabber:x:conference"

# XEP-0280, XEP-0352
NS_CARBONS = "urn:xmpp:carbons:2"
NS_CSI = "urn:xmpp:csi:0"

# XEP-0313, XEP-0441
NS_MAM = "urn:xmpp:mam:2"

# XEP-0359
NS_STANZA_IDS = "urn:xmpp:sid:0"

# XEP-0355 §12.1
NS_DELEGATION = "urn:xmpp:delegation:2"
# XEP-0356 §11.1
NS_PRIVILEGE = "urn:xmpp:privilege:2"

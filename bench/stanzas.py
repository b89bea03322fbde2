"""What the generated clients say: what today's clients send, without what servers treat differently."""

MESSAGE = (
    "<message type='chat' to='@TO@' id='@ID@'>"
    "<body>Shall we meet at noon in the common room, by the window?</body>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/>"
    "<request xmlns='urn:xmpp:receipts'/>"
    "<origin-id xmlns='urn:xmpp:sid:0' id='@ID@'/>"
    "</message>"
)
PRESENCE = (
    "<presence id='@ID@'><show>away</show><status>In the library until noon</status>"
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' "
    "ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>"
)

"""XEP-0494: Client Access Management: users see what has access to their account, and take it away."""

from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import sha256

from commonroom.accounts.devices import Devices
from commonroom.core.clients import Clients
from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.core.session import Session
from commonroom.protocol.errors import StreamCondition, StreamError, item_not_found, service_unavailable
from commonroom.protocol.stanza import Iq
from commonroom.protocol.timestamps import date_time, to_microseconds
from commonroom.storage.records import Device
from commonroom.xml.element import Element

NS_CLIENT_ACCESS = "urn:xmpp:cam:0"


class ClientAccess(Feature):
    """Knows the clients that said which installation they are (XEP-0388 §2.3)."""

    xep = Xep("0494", "0.1.0")
    account_disco = (NS_CLIENT_ACCESS,)

    def __init__(self, devices: Devices, clients: Clients) -> None:
        self._devices = devices
        self._clients = clients

    @on_iq("get", NS_CLIENT_ACCESS, "list", to=Scope.OWN_ACCOUNT)
    async def list(self, iq: Iq, session: Session) -> Element:
        """What has access (XEP-0494 §3.1)."""
        user = session.user
        known = await self._devices.list(user.jid)
        shown = [
            _described(
                device,
                is_connected=bool(self._clients.sessions(user, device.client)),
                has_token=self._devices.has_token(device, user.changed),
            )
            for device in known
        ]
        return Element(NS_CLIENT_ACCESS, "clients", None, *shown)

    @on_iq("set", NS_CLIENT_ACCESS, "revoke", to=Scope.OWN_ACCOUNT)
    async def revoke(self, iq: Iq, session: Session) -> None:
        """End its sessions and its tokens; that does not end what it knows (XEP-0494 §3.2)."""
        wanted, user = iq.request().get("id"), session.user
        known = await self._devices.list(user.jid)
        device = next((device for device in known if reference(device) == wanted), None)
        if device is None:
            raise item_not_found("there is no such client")
        await self._devices.revoke(user.jid, device.client)
        for other in self._clients.sessions(user, device.client):
            other.end(
                StreamError(StreamCondition.NOT_AUTHORIZED, "the account's owner has ended this session")
            )
        if device.password:
            raise service_unavailable(
                "it may still know the password", Element(NS_CLIENT_ACCESS, "password-reset-required")
            )


def reference(device: Device) -> str:
    """How a client is called to its owner's other clients: its own id is nobody else's business."""
    return urlsafe_b64encode(sha256(device.client.encode()).digest()[:9]).decode()


def _described(device: Device, *, is_connected: bool, has_token: bool) -> Element:
    ways = [name for name, has in (("password", device.password), ("fast", has_token)) if has]
    attributes = {
        "connected": "true" if is_connected else "false",
        "id": reference(device),
        "type": "session",
    }
    said = (("software", device.software), ("device", device.name))
    return _element(
        "client",
        _element("first-seen", _moment(device.first_seen)),
        _element("last-seen", _moment(device.last_seen)),
        _element("auth", *map(_element, ways)),
        Element(NS_CLIENT_ACCESS, "permission", {"status": "unrestricted"}),
        _element("user-agent", *(_element(name, text) for name, text in said if text)),
        attributes=attributes,
    )


def _element(name: str, *children: Element | str, attributes: dict[str, str] | None = None) -> Element:
    return Element(NS_CLIENT_ACCESS, name, attributes, *children)


def _moment(moment: datetime) -> str:
    return date_time(to_microseconds(moment))

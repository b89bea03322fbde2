"""slixmpp as a blocking test partner: a call returns when the thing has happened, or says what did not."""

import asyncio
import ssl
import threading
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError
from slixmpp.stanza import StreamError
from slixmpp.xmlstream.stanzabase import StanzaBase

from .server import ServerUnderTest
from .stanzas import Contact, contacts, is_message, is_presence, is_push
from .waiting import wait_until

ANSWER_SECONDS = 8.0
LOGOUT_SECONDS = 2.0
TRANSCRIPT_LINES = 60
PLUGINS = tuple(
    f"xep_{number}"
    for number in ("0004", "0012", "0030", "0045", "0048", "0049", "0092", "0199", "0202", "0203", "0313")
)
SETTLED = "{urn:example:interop}settled"

Result = TypeVar("Result")


class LoginError(Exception):
    """No session came about; the text is the SASL condition (RFC 6120 §6.5) or what slixmpp says."""


class LoopThread:
    """The event loop in which all slixmpp clients of a test run live, on a thread of its own.

    `patience` is how many seconds anything may take that a test waits for.
    """

    def __init__(self, patience: float = ANSWER_SECONDS) -> None:
        self.patience = patience
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slixmpp", daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run the coroutine in the loop and return its result; TimeoutError when it takes too long."""
        limited = asyncio.wait_for(coroutine, self.patience)
        return asyncio.run_coroutine_threadsafe(limited, self._loop).result()

    def close(self) -> None:
        """End what the clients left running, then the loop."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class RecordingStream(ClientXMPP):
    """slixmpp's client, which also keeps what was said on the wire and every stanza it has dealt with."""

    def __init__(
        self, jid: str, password: str, mechanism: str | None, tls: ssl.SSLContext, more: Sequence[str]
    ) -> None:
        super().__init__(jid, password, sasl_mech=mechanism, ssl_context=tls)
        self.spoken: list[str] = []
        self.inbox: list[StanzaBase] = []
        self.arrived = threading.Condition()
        self._sender: asyncio.Task[Any] | None = None
        self.auto_authorize = None
        self.auto_subscribe = False
        for plugin in (*PLUGINS, *more):
            self.register_plugin(plugin)

    async def run_filters(self) -> None:
        """slixmpp's sender, which never ends by itself; remembered so that `end` can end it."""
        self._sender = asyncio.current_task()
        await super().run_filters()

    def end(self) -> None:
        """Drop the connection, and end everything that runs for it."""
        self.cancel_connection_attempt()
        self.abort()
        if self._sender is not None:
            self._sender.cancel()

    def send_raw(self, data: str | bytes) -> None:
        self.spoken.append(f"client: {data!r}")
        super().send_raw(data)

    def data_received(self, data: bytes | str) -> None:
        self.spoken.append(f"server: {data!r}")
        super().data_received(data)

    def recv_stanza(self, stanza: StanzaBase) -> None:
        super().recv_stanza(stanza)
        with self.arrived:
            self.inbox.append(stanza)
            self.arrived.notify_all()

    def take(self, wanted: Callable[[Any], bool]) -> StanzaBase | None:
        """Remove and return the oldest stanza that is wanted."""
        for stanza in self.inbox:
            if wanted(stanza):
                self.inbox.remove(stanza)
                return stanza
        return None


class SlixClient:
    """One resource of an account."""

    def __init__(
        self,
        loop: LoopThread,
        server: ServerUnderTest,
        jid: str,
        password: str,
        *,
        mechanism: str | None = None,
        direct_tls: bool = False,
        newest_tls: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        trusts_server: bool = True,
        plugins: Sequence[str] = (),
        verifies: bool = True,
    ) -> None:
        self._loop = loop
        self._server = server
        self._direct_tls = direct_tls
        self._newest_tls = newest_tls
        self._trusts_server = trusts_server
        self._verifies = verifies
        self._stream = loop.call(self._make_stream(jid, password, mechanism, plugins))

    async def _make_stream(
        self, jid: str, password: str, mechanism: str | None, plugins: Sequence[str]
    ) -> RecordingStream:
        # Certificate and name are verified, and the machine's authorities do not count.
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not self._verifies:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        tls.maximum_version = self._newest_tls
        if self._trusts_server:
            tls.load_verify_locations(self._server.certificate)
        stream = RecordingStream(jid, password, mechanism, tls, plugins)
        stream.enable_direct_tls = self._direct_tls
        stream.enable_starttls = not self._direct_tls
        return stream

    @property
    def jid(self) -> str:
        """The full address that the server bound."""
        return str(self._stream.boundjid.full)

    @property
    def bare_jid(self) -> str:
        return str(self._stream.boundjid.bare)

    def login(self) -> None:
        """Connect, authenticate and bind; LoginError when no session comes of it."""
        try:
            self._loop.call(self._login())
        except TimeoutError:
            raise AssertionError(f"{self.jid}: no answer to the login") from None

    async def _login(self) -> None:
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def refuse(reason: object) -> None:
            if not outcome.done():
                outcome.set_exception(LoginError(str(reason)))

        def accept(_: object) -> None:
            if not outcome.done():
                outcome.set_result(None)

        stream = self._stream
        stream.add_event_handler("session_start", accept)
        stream.add_event_handler("session_resumed", accept)
        stream.add_event_handler("failed_auth", lambda failure: refuse(failure["condition"]))
        for event in ("no_auth", "ssl_invalid_chain", "connection_failed", "disconnected"):
            stream.add_event_handler(event, lambda reason, event=event: refuse(f"{event}: {reason}"))
        port = self._server.tls_port if self._direct_tls else self._server.starttls_port
        stream.connect(self._server.host, port)
        try:
            await outcome
        except LoginError:
            stream.end()
            raise

    def logout(self) -> None:
        """Close the stream and the connection (RFC 6120 §4.4)."""
        self.ask(lambda stream: stream.disconnect(LOGOUT_SECONDS))

    def vanish(self) -> None:
        """Drop the connection without a word; but a session that would wait for its client is closed."""
        if self._stream.transport is not None and "xep_0198" in self._stream.plugin:
            self.logout()
        self.do(lambda stream: stream.end())

    def cut(self) -> None:
        """The connection is gone, and slixmpp may come back: `login` resumes what can be resumed."""
        self.do(lambda stream: stream.abort())
        wait_until(lambda: self._stream.transport is None, f"the connection of {self.jid} to be gone")

    def heard(self, event: str) -> list[Any]:
        """What comes with an event of slixmpp, from now on."""
        found: list[Any] = []
        self.do(lambda stream: stream.add_event_handler(event, found.append))
        return found

    def do(self, action: Callable[[Any], object]) -> None:
        """Let the client do something that has no answer."""

        async def act() -> None:
            action(self._stream)

        self._loop.call(act())

    def ask(self, question: Callable[[Any], Awaitable[Result]]) -> Result:
        """Let the client ask something, and return the answer; slixmpp's IqError when it is an error."""

        async def asked() -> Result:
            return await question(self._stream)

        try:
            return self._loop.call(asked())
        except TimeoutError:
            raise AssertionError(f"{self.jid}: no answer within {self._loop.patience:g} s") from None

    def announce(self, **presence: object) -> None:
        """Become available (RFC 6121 §4.2.1): pshow, pstatus, ppriority as slixmpp calls them."""
        self.do(lambda stream: stream.send_presence(**presence))

    def chat(self, to: str, body: str) -> None:
        self.do(lambda stream: stream.send_message(to, body, mtype="chat"))

    def send_subscription(self, kind: str, to: str) -> None:
        """Send presence of type subscribe, subscribed, unsubscribe or unsubscribed (RFC 6121 §3)."""
        self.do(lambda stream: stream.send_presence_subscription(to, ptype=kind))

    def roster(self) -> dict[str, Contact]:
        """Fetch the whole roster (RFC 6121 §2.1.4)."""

        def get(stream: Any) -> Any:
            iq = stream.make_iq_get()
            iq.enable("roster")
            return iq.send()

        return contacts(self.ask(get))

    def knows(self, jid: str) -> Any:
        """What slixmpp itself believes about a contact: name, groups, subscription."""
        return self._stream.client_roster[jid]

    def set_contact(self, jid: str, name: str = "", groups: Sequence[str] = ()) -> None:
        """Add a contact, or change its name and groups (RFC 6121 §2.3, §2.4)."""
        self.ask(lambda stream: stream.update_roster(jid, name=name, groups=list(groups)))

    def remove_contact(self, jid: str) -> None:
        """Remove a contact and both subscriptions (RFC 6121 §2.5)."""
        self.ask(lambda stream: stream.del_roster_item(jid))

    def sync(self) -> None:
        """Return when the server has dealt with all we sent and we have all it sent before its answer.

        Stanzas of one stream are handled in order (RFC 6120 §10.1). An error is an answer as well."""
        try:
            self.ask(lambda stream: stream.plugin["xep_0199"].send_ping(self._server.domain))
        except IqError:
            return

    def settle(self) -> None:
        """Return when what we did before is stored: writes keep their order, and this one is answered."""
        self.store(ET.Element(SETTLED))

    def store(self, element: ET.Element) -> None:
        """Put an element into private storage (XEP-0049)."""

        def put(stream: Any) -> Any:
            iq = stream.make_iq_set()
            iq.enable("private")
            iq["private"].append(element)
            return iq.send()

        self.ask(put)

    def stored(self, tag: str) -> ET.Element | None:
        """Fetch the element with the tag ("{namespace}name") from private storage (XEP-0049)."""

        def get(stream: Any) -> Any:
            iq = stream.make_iq_get()
            iq.enable("private")
            iq["private"].append(ET.Element(tag))
            return iq.send()

        found: ET.Element | None = self.ask(get).xml.find(f".//{tag}")
        return found

    def receive(self, what: str, wanted: Callable[[Any], bool]) -> Any:
        """Wait for a stanza and take it from the inbox; AssertionError when it does not come."""
        stream = self._stream
        found: list[StanzaBase] = []

        def look() -> bool:
            stanza = stream.take(wanted)
            found.extend([] if stanza is None else [stanza])
            return bool(found)

        with stream.arrived:
            assert stream.arrived.wait_for(look, self._loop.patience), f"{self.jid} did not receive {what}"
        return found[0]

    def receive_message(self, body: str) -> Any:
        return self.receive(f"the message {body!r}", lambda stanza: is_message(stanza, body))

    def receive_presence(self, kind: str, sender: str) -> Any:
        """Wait for presence from the address, of the type, "available", or as its <show/> says."""
        what = f"{kind} presence from {sender}"
        return self.receive(what, lambda stanza: is_presence(stanza, kind, sender))

    def receive_push(self, jid: str, subscription: str, ask: str = "") -> Contact:
        """Wait for the roster push (RFC 6121 §2.1.6) that tells this state of the contact."""

        def wanted(stanza: Any) -> bool:
            contact = contacts(stanza).get(jid) if is_push(stanza) else None
            return contact is not None and (contact.subscription, contact.ask) == (subscription, ask)

        push = self.receive(f"a roster push: {jid} is {subscription} {ask}".rstrip(), wanted)
        return contacts(push)[jid]

    def receive_stream_error(self) -> str:
        """Wait for a stream error and the end of the stream (RFC 6120 §4.9.1.1), and return the condition."""
        error = self.receive("a stream error", lambda stanza: isinstance(stanza, StreamError))
        wait_until(self._has_heard_the_end, f"the end of the stream to {self.jid}")
        return str(error["condition"])

    def _has_heard_the_end(self) -> bool:
        return any("</stream:stream>" in said for said in self._stream.spoken if said.startswith("server"))

    def has(self, wanted: Callable[[Any], bool]) -> bool:
        """Whether such a stanza is in the inbox; call `sync` before, on the sender's side first."""
        with self._stream.arrived:
            return any(wanted(stanza) for stanza in self._stream.inbox)

    def transcript(self) -> str:
        """The end of what was said on the wire, for a failing test's report."""
        return "\n".join(self._stream.spoken[-TRANSCRIPT_LINES:])

"""RFC 6120 §4.9 and §8.3: stream errors and stanza errors, as exceptions.

To refuse something, raise one of these; only the stream (for stream errors) and the router (for
stanza errors) turn them into XML.
"""

from collections.abc import Callable
from enum import Enum
from urllib.parse import quote

from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STANZA_ERRORS, NS_STREAM_ERRORS
from commonroom.xml.serializer import escape_text, serialize


class StreamCondition(Enum):
    """The defined stream error conditions (RFC 6120 §4.9.3)."""

    BAD_FORMAT = "bad-format"
    BAD_NAMESPACE_PREFIX = "bad-namespace-prefix"
    CONFLICT = "conflict"
    CONNECTION_TIMEOUT = "connection-timeout"
    HOST_GONE = "host-gone"
    HOST_UNKNOWN = "host-unknown"
    IMPROPER_ADDRESSING = "improper-addressing"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    INVALID_FROM = "invalid-from"
    INVALID_NAMESPACE = "invalid-namespace"
    INVALID_XML = "invalid-xml"
    NOT_AUTHORIZED = "not-authorized"
    NOT_WELL_FORMED = "not-well-formed"
    POLICY_VIOLATION = "policy-violation"
    REMOTE_CONNECTION_FAILED = "remote-connection-failed"
    RESET = "reset"
    RESOURCE_CONSTRAINT = "resource-constraint"
    RESTRICTED_XML = "restricted-xml"
    SEE_OTHER_HOST = "see-other-host"
    SYSTEM_SHUTDOWN = "system-shutdown"
    UNDEFINED_CONDITION = "undefined-condition"
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    UNSUPPORTED_FEATURE = "unsupported-feature"
    UNSUPPORTED_STANZA_TYPE = "unsupported-stanza-type"
    UNSUPPORTED_VERSION = "unsupported-version"


class StreamError(Exception):
    """Ends the stream; there is no recovery from it (RFC 6120 §4.9.1.1).

    `application` is an application-specific condition (RFC 6120 §4.9.4).
    """

    def __init__(
        self, condition: StreamCondition, text: str | None = None, application: Element | None = None
    ) -> None:
        super().__init__(condition.value if text is None else f"{condition.value}: {text}")
        self.condition = condition
        self.text = text
        self.application = application

    def xml(self) -> str:
        """The <stream:error/> element, for a stream whose prefix is `stream` (RFC 6120 §4.9.2)."""
        text = (
            f"<text xmlns='{NS_STREAM_ERRORS}' xml:lang='en'>{escape_text(self.text)}</text>"
            if self.text
            else ""
        )
        more = "" if self.application is None else serialize(self.application, NS_CLIENT)
        return (
            f"<stream:error><{self.condition.value} xmlns='{NS_STREAM_ERRORS}'/>{text}{more}</stream:error>"
        )


class ErrorType(Enum):
    """What the sender may do about a stanza error (RFC 6120 §8.3.2)."""

    AUTH = "auth"
    CANCEL = "cancel"
    CONTINUE = "continue"
    MODIFY = "modify"
    WAIT = "wait"


class StanzaError(Exception):
    """Refuses one stanza; the stream lives on (RFC 6120 §8.3).

    `application` is an application-specific condition (RFC 6120 §8.3.4), `address` the URI that a few
    conditions contain (§8.3.3.5, §8.3.3.14).
    """

    def __init__(
        self,
        condition: str,
        kind: ErrorType,
        text: str | None = None,
        application: Element | None = None,
        address: str = "",
    ) -> None:
        super().__init__(condition if text is None else f"{condition}: {text}")
        self.condition = condition
        self.kind = kind
        self.text = text
        self.application = application
        self.address = address

    def element(self, content_namespace: str) -> Element:
        """The <error/> child of the answer (RFC 6120 §8.3.2)."""
        error = Element(content_namespace, "error", {"type": self.kind.value})
        inside = (self.address,) if self.address else ()
        error.append(Element(NS_STANZA_ERRORS, self.condition, None, *inside))
        if self.text:
            error.append(Element(NS_STANZA_ERRORS, "text", {"xml:lang": "en"}, self.text))
        if self.application is not None:
            error.append(self.application)
        return error


def _named(condition: str, kind: ErrorType) -> Callable[..., StanzaError]:
    def make(text: str | None = None, application: Element | None = None) -> StanzaError:
        return StanzaError(condition, kind, text, application)

    make.__doc__ = f"<{condition}/>, of type {kind.value} unless its section says otherwise."
    return make


def moved(address: str, *, for_good: bool) -> StanzaError:
    """<gone/> (RFC 6120 §8.3.3.5), or <redirect/> (§8.3.3.14), with where to go instead."""
    uri = f"xmpp:{quote(address, safe='@')}"
    if for_good:
        return StanzaError("gone", ErrorType.CANCEL, address=uri)
    return StanzaError("redirect", ErrorType.MODIFY, address=uri)


# The conditions and the type each one's section associates with it (RFC 6120 §8.3.3.1 to §8.3.3.22).
bad_request = _named("bad-request", ErrorType.MODIFY)
conflict = _named("conflict", ErrorType.CANCEL)
feature_not_implemented = _named("feature-not-implemented", ErrorType.CANCEL)
forbidden = _named("forbidden", ErrorType.AUTH)
gone = _named("gone", ErrorType.CANCEL)
internal_server_error = _named("internal-server-error", ErrorType.CANCEL)
item_not_found = _named("item-not-found", ErrorType.CANCEL)
jid_malformed = _named("jid-malformed", ErrorType.MODIFY)
not_acceptable = _named("not-acceptable", ErrorType.MODIFY)
not_allowed = _named("not-allowed", ErrorType.CANCEL)
not_authorized = _named("not-authorized", ErrorType.AUTH)
policy_violation = _named("policy-violation", ErrorType.MODIFY)
recipient_unavailable = _named("recipient-unavailable", ErrorType.WAIT)
registration_required = _named("registration-required", ErrorType.AUTH)
remote_server_not_found = _named("remote-server-not-found", ErrorType.CANCEL)
remote_server_timeout = _named("remote-server-timeout", ErrorType.WAIT)
resource_constraint = _named("resource-constraint", ErrorType.WAIT)
service_unavailable = _named("service-unavailable", ErrorType.CANCEL)
subscription_required = _named("subscription-required", ErrorType.AUTH)
undefined_condition = _named("undefined-condition", ErrorType.CANCEL)
unexpected_request = _named("unexpected-request", ErrorType.WAIT)

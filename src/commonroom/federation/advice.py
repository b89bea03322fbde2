"""What an operator can do about a server that cannot be reached, by the reason why."""

import re

# Kinds of reasons: the first whose pattern fits counts.
OTHER = "other"
ADVICE = (
    (
        "no answer from DNS",
        r"DNS gave no answer",
        "See whether the DNS servers work (federation.nameservers, or /etc/resolv.conf), and try again.",
    ),
    (
        "not found",
        r"no XMPP server|no address for|not a name that DNS",
        "See whether the domain is spelled right. If it is, its operator has to publish SRV records.",
    ),
    (
        "unreachable",
        r"refuses connections|does not answer|no way to it|took longer",
        "See whether a firewall on your side lets connections out to that port; else its operator has to.",
    ),
    (
        "no encryption",
        r"offers no encryption|refuses to start TLS",
        "Its operator has to allow TLS. Without it, everybody in between reads along; "
        '[federation.domains."…"] security = "unencrypted" accepts that.',
    ),
    (
        "their certificate",
        r"certificate is not accepted",
        "Its operator has to get a certificate that names the domain, from an authority that others trust. "
        'Until then, [federation.domains."…"] security = "encrypted" does without.',
    ),
    (
        "our identity",
        r"not accept our certificate|not-authorized|key is invalid|refuses dialback|ours? certificate",
        "It does not believe who we are: see `commonroom check certs` and `commonroom check dns`.",
    ),
    (
        "wrong machine",
        r"ends the stream: (host-unknown|host-gone)",
        "That machine does not serve the domain: its operator has to correct the SRV records, or the server.",
    ),
    (
        "policy",
        r"ends the stream: policy-violation|not communicate with that domain|not-allowed",
        "One of the two operators does not want it. If it is you: see [federation.domains].",
    ),
    ("TLS", r"TLS", "See what TLS both sides speak: tls.minimum_version here, the same there."),
)

TELL = "Tell its operator the reason above."


def advice(reason: str) -> str:
    """What to do; always something."""
    return next((text for _, pattern, text in ADVICE if re.search(pattern, reason)), TELL)


def kind_of(reason: str) -> str:
    """One of a few words, to count by."""
    return next((kind for kind, pattern, _ in ADVICE if re.search(pattern, reason)), OTHER)

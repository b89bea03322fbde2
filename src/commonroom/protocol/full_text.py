"""XEP-0431: Full Text Search in MAM, version 0.2.0."""

# What an archive announces that can be searched (XEP-0431 §2.1).
NS_FULL_TEXT = "urn:xmpp:fulltext:0"

# The field of a query that says what for (XEP-0431 §3.1).
FULL_TEXT_FIELD = f"{{{NS_FULL_TEXT}}}fulltext"

"""What kinds of clients are called; a table of clients may say it in these words."""

from router.texts.speech import mark

KINDS = {
    "new": mark("new"),
    "client": mark("client"),
    "former": mark("former client"),
    "partner": mark("partner"),
    "supplier": mark("supplier"),
    "staff": mark("colleague"),
    "spam": mark("spam"),
    "other": mark("other"),
}
"""`basis.clients.ClientKind` -> its key."""

"""The built-in chat: cards in a table of the journal's own store, shown by the pages of `router.web`.

Of the four rooms of a chat only two have something in them: `tables` (what is kept) and `wire` (card <-> row).
There is no far side to call, so no `client`, and no setting, so no `config`; the pages bring the buttons back.
"""

from router.chat_notify.inbox.adapter import Inbox

__all__ = ["Inbox"]

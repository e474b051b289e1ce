"""The built-in client book: who calls us, who looks after him. For a company without a CRM, and beside one.

`entry` is a client as people write him, `document` and `table` read and write files of them, `book` answers in memory.
"""

from router.crm_bridge.builtin.book import ClientBook, Conflict
from router.crm_bridge.builtin.entry import Entry

__all__ = ["ClientBook", "Conflict", "Entry"]

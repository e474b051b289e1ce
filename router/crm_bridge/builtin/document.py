"""Reads `clients.toml`: `[[client]]` tables. Unlike `people.toml` it is not the whole truth: whoever is not named in it
stays as he is (docs/decisions/0015-clients-are-chains-that-rest.md)."""

from typing import Any

from router.basis.failures import Mistake, Mistakes
from router.crm_bridge.builtin.entry import Placed, entry_of, twice


def is_clients(document: dict[str, Any]) -> bool:
    """Whether a parsed file is one of clients."""
    return "client" in document


def clients_of(document: dict[str, Any], region: str) -> list[Placed]:
    """The clients in a parsed document. Raises `Mistakes`."""
    mistakes = [
        Mistake(key, "…", "does not belong into a file of clients; people have a file of their own")
        for key in document
        if key != "client"
    ]
    rows = document.get("client", [])
    if not isinstance(rows, list):
        mistakes.append(Mistake("client", "…", "write [[client]], one table for each"))
        rows = []
    found: list[Placed] = []
    for index, row in enumerate(rows):
        where = f"client[{row.get('id', index) if isinstance(row, dict) else index}]"
        if not isinstance(row, dict):
            mistakes.append(Mistake(where, row, "must be a table"))
            continue
        entry = entry_of(row, where, region, mistakes)
        if entry is not None:
            # Two rows with one id have one name here; their places in the file tell them apart.
            found.append((f"{where}#{index + 1}", entry))
    mistakes += twice(found)
    if mistakes:
        raise Mistakes(mistakes)
    return found

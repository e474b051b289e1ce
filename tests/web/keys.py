"""All text keys of code and templates, by Babel's own extraction."""

from pathlib import Path

from babel.messages.extract import extract_from_dir

ROOT = Path(__file__).resolve().parents[2] / "router"

KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "mark": None, "say": None, "count": (1, 2)}
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"**/templates/**.html": {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}}


def keys() -> dict[str | tuple[str, ...], str]:
    """Key (singular and plural where it counts) -> where it stands."""
    found: dict[str | tuple[str, ...], str] = {}
    for folder in ("web", "chat_notify", "texts"):
        for file, line, message, _, _ in extract_from_dir(
            ROOT / folder, METHODS, OPTIONS, KEYWORDS, strip_comment_tags=True
        ):
            key = tuple(message) if isinstance(message, tuple | list) else message
            if key:
                found.setdefault(key, f"router/{folder}/{file}:{line}")
    return found

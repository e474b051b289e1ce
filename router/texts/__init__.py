"""Words for people: Russian (default) and English, by gettext.

The English sentence in the code is the key, `ru.po` beside this file holds the Russian one. Babel reads the `.po` at
the start (some milliseconds), so that there is no compiled catalogue that could be forgotten or stale: whoever edits a
text edits one file. A test extracts every key from code and templates and fails on one without its Russian words
(docs/decisions/0004-texts-by-gettext-without-a-build-step.md).
"""

from functools import cache
from importlib import resources
from io import BytesIO

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LANGUAGES = ("ru", "en")

DEFAULT = "ru"


@cache
def catalogue(language: str) -> Translations:
    """The texts of a language. Raises FileNotFoundError for one that is not in `LANGUAGES`."""
    if language == "en":
        return Translations()  # the keys are English
    body = (resources.files(__name__) / f"{language}.po").read_bytes()
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(body), locale=language))
    compiled.seek(0)
    return Translations(compiled)


@cache
def locale(language: str) -> Locale:
    """Dates and numbers of a language."""
    return Locale.parse(language)


def chosen(wanted: str | None, otherwise: str = DEFAULT) -> str:
    """The language asked for, if there is such a one."""
    return wanted if wanted in LANGUAGES else otherwise

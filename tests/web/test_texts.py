"""No text without its Russian words, and none that nobody uses any more."""

import re
from importlib import resources
from io import BytesIO

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from router.texts import catalogue
from tests.web.keys import keys

VALUE = re.compile(r"%\(\w+\)[sd]")


@pytest.fixture(scope="module")
def russian() -> Catalog:
    return read_po(BytesIO((resources.files("router.texts") / "ru.po").read_bytes()), locale="ru")


def test_every_key_has_russian_words(russian: Catalog) -> None:
    found = keys()
    assert len(found) > 100, "the extraction has lost something"
    missing = [f"{place}: {key!r}" for key, place in found.items() if not _translated(russian, key)]
    assert not missing, "write these into router/texts/ru.po:\n" + "\n".join(missing)


def test_no_russian_words_for_a_key_that_is_gone(russian: Catalog) -> None:
    used = {key if isinstance(key, str) else key[0] for key in keys()}
    present = {message.id if isinstance(message.id, str) else message.id[0] for message in russian if message.id}
    assert present - used == set()


def test_values_are_put_in_by_the_same_names(russian: Catalog) -> None:
    checked = 0
    for message in russian:
        for words in _words(message):
            key = message.id if isinstance(message.id, str) else message.id[0]
            assert VALUE.findall(words) == VALUE.findall(key), key
            checked += bool(VALUE.search(key))
    assert checked >= 5


def test_a_language_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        catalogue("xx")


def _translated(catalog: Catalog, key: str | tuple[str, ...]) -> bool:
    message = catalog.get(key if isinstance(key, str) else key[0])
    return message is not None and not message.fuzzy and all(_words(message))


def _words(message: Message) -> list[str]:
    said = message.string
    return [said] if isinstance(said, str) else list(said or [""])

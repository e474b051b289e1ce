"""How one reader is spoken to: a language, a time zone, and what time it is now."""

from dataclasses import dataclass, field
from datetime import tzinfo

import phonenumbers
from babel.dates import format_datetime, format_time
from babel.support import Translations

from router.basis.instants import SECOND, Instant, as_datetime
from router.texts import catalogue, locale


def mark(text: str) -> str:
    """A key that is put into words later; here only so that the extraction of texts sees it."""
    return text


@dataclass(frozen=True)
class Speech:
    """Puts things into words for one reader."""

    language: str
    zone: tzinfo
    now: Instant
    words: Translations = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", catalogue(self.language))

    def say(self, key: str, **values: object) -> str:
        """The words of a key, with its values put in."""
        if not key:
            return ""  # gettext answers an empty key with the head of its catalogue
        text = str(self.words.gettext(key))
        return text % values if values else text

    def count(self, one: str, many: str, number: int) -> str:
        """A number with its noun in the right form; the keys contain `%(num)d`."""
        return str(self.words.ngettext(one, many, number)) % {"num": number}

    def moment(self, instant: Instant) -> str:
        """The time of day; with its date where that is not today's."""
        then, now = as_datetime(instant).astimezone(self.zone), as_datetime(self.now).astimezone(self.zone)
        if then.date() == now.date():
            return str(format_time(then, "HH:mm", locale=locale(self.language)))
        pattern = "d MMM, HH:mm" if then.year == now.year else "d MMM y, HH:mm"
        return str(format_datetime(then, pattern, locale=locale(self.language)))

    def clock(self, instant: Instant) -> str:
        """The time of day to the second."""
        return as_datetime(instant).astimezone(self.zone).strftime("%H:%M:%S")


def length(microseconds: int) -> str:
    """A duration as a clock shows it: 0:07, 12:30, 1:02:03."""
    minutes, seconds = divmod(max(0, microseconds) // SECOND, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def phone_in_groups(number: str) -> str:
    """A number in E.164 as people read it (+7 999 000-11-22); as it is where it is no public number."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

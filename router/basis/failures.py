"""What can go wrong, in the two kinds that matter to whoever asked: try again, or tell a person."""


class Failure(Exception):
    """Something that was asked of a neighbour did not happen."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Temporary(Failure):
    """The neighbour could not do it now; the same request may succeed later."""

    def __init__(self, code: str, detail: str = "", retry_after_us: int | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after_us = retry_after_us
        """Microseconds the neighbour asked us to wait, or None."""


class Permanent(Failure):
    """The neighbour will never do it as asked; a person has to look."""


class Mistake(Exception):
    """One thing wrong in a configuration or data file: where, what was found, what to do."""

    def __init__(self, key: str, value: object, remedy: str) -> None:
        super().__init__(f"{key} = {value!r}: {remedy}")
        self.key = key
        self.value = value
        self.remedy = remedy


class Mistakes(Exception):
    """Everything wrong in a configuration or data file, reported together."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes

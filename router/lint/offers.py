"""Findings about the window: who is rung in it, for how long, and what eats it.

All of it reckons with heads who let their phones ring out, because that is when a list is walked to its end.
"""

from collections.abc import Iterator

from router.basis.instants import SECOND
from router.basis.people import Chain, Device, Directory, Person
from router.chains.terms import OnListEnd, Order, Spread, Terms, with_deviations
from router.lint.finding import Finding

MOBILE_RINGS_WITHIN = 4 * SECOND
"""A mobile behind a trunk begins to ring 2 to 6 s after it was asked for; who is given less seems switched off."""


def offers(directory: Directory, base: Terms) -> Iterator[Finding]:
    """Findings of all chains; heads without a telephone are the reader's."""
    dialled = {line.chain for line in directory.lines}
    for number, chain in enumerate(directory.chains):
        terms, _ = with_deviations(base, chain.terms, "")
        heads = [person for head in chain.heads if (person := directory.person(head)) is not None and person.phones]
        yield from _window(chain, terms, heads)
        for person in heads:
            for device in person.phones:
                yield from _device(chain, terms, person, device)
        if number > 0 and chain.id not in dialled:
            yield Finding("chain_without_line", "warning", chain.id)


def _window(chain: Chain, terms: Terms, heads: list[Person]) -> Iterator[Finding]:
    if not heads or not _one_by_one(terms):
        return
    quick = slow = 0
    """When this head's offer begins if mobiles before him ring at once, and if they take as long as they may."""
    for person in heads:
        if quick + terms.min_offer > terms.window:
            yield _never(chain, person, "never_reached", quick, terms)
        elif slow + terms.min_offer > terms.window:
            yield _never(chain, person, "reached_if_quick", slow, terms)
        shortest, longest = _offer(person, terms)
        quick, slow = quick + shortest, slow + longest
    if quick < terms.window and terms.on_list_end is OnListEnd.STOP:
        left = _s(terms.window - quick)
        yield Finding("list_ends_early", "warning", chain.id, params={"left_s": left, "window_s": _s(terms.window)})
    elif quick == slow and (rest := terms.window % terms.ring):
        code = "rest_unused" if rest < terms.min_offer else "last_offer_short"
        params = {"rest_s": _s(rest), "window_s": _s(terms.window), "ring_s": _s(terms.ring)}
        yield Finding(code, "warning", chain.id, params=params)


def _one_by_one(terms: Terms) -> bool:
    """Whether the list is walked from its first head in the order in which it is written: only then is the last one
    always the last."""
    return terms.order is Order.FIXED and terms.spread is Spread.ONE_BY_ONE and not terms.all_in_last


def _offer(person: Person, terms: Terms) -> tuple[int, int]:
    """The shortest and the longest full offer to this head; his telephones ring together, and the last one ends it."""
    caps = [_cap(device, terms) for device in person.phones if device.count_from == "ringing"]
    plain = [terms.ring] if len(caps) < len(person.phones) else []
    return max((*plain, *(min(terms.ring, cap) for cap in caps))), max((*plain, *caps))


def _cap(device: Device, terms: Terms) -> int:
    return terms.reach if device.cap is None else device.cap


def _never(chain: Chain, person: Person, code: str, begins: int, terms: Terms) -> Finding:
    params = {"begins_s": _s(begins), "window_s": _s(terms.window), "min_offer_s": _s(terms.min_offer)}
    return Finding(code, "warning", chain.id, person.id, params)


def _device(chain: Chain, terms: Terms, person: Person, device: Device) -> Iterator[Finding]:
    params = {"extension": device.extension, "ring_s": _s(terms.ring)}

    def found(code: str, **more: str) -> Finding:
        return Finding(code, "warning", chain.id, person.id, {**params, **more})

    silence = terms.no_ringing_after if device.no_ringing_after is None else device.no_ringing_after
    if device.count_from == "offer":
        if silence and silence > terms.ring - terms.min_offer:
            yield found("device_eats_hop", silent_s=_s(silence))
    elif (cap := _cap(device, terms)) < terms.ring:
        yield found("cap_cuts_ring", cap_s=_s(cap))
    elif cap >= 2 * terms.ring:
        yield found("cap_eats_hops", cap_s=_s(cap))
    if device.kind == "mobile":
        if device.count_from == "offer":
            yield found("mobile_counts_from_offer")
        if 0 < silence < MOBILE_RINGS_WITHIN:
            yield found("mobile_seems_dead", silent_s=_s(silence))
        if not device.press_1:
            yield found("voicemail_answers")


def _s(duration: int) -> str:
    """Seconds as people write them."""
    return f"{duration / SECOND:g}"

"""What the linter of chains says: a sentence for what is so, another for what to do. `router.lint` finds it."""

from router.texts.speech import mark

MORE = mark("and %(more)s more")
"""After dates or times of which only the first are named."""

SENTENCES = {
    # errors
    "given_twice": mark("%(value)s is given twice."),
    "bad_id": mark("%(value)s is no id."),
    "shared_extension": mark("Extension %(value)s belongs to more than one person: who answered could not be told."),
    "line_leads_nowhere": mark("A line leads to the chain %(value)s, and there is no such chain."),
    "unknown_calendar": mark("There is no calendar %(value)s."),
    "empty_list": mark("Nobody is on the list: nobody would be rung."),
    "unknown_person": mark("%(value)s is on the list, and there is no such person."),
    "no_extension": mark("%(value)s is on the list and has no telephone: he can never be rung."),
    "head_twice": mark("%(value)s is on the list twice."),
    "shorter_than_min_offer": mark(
        "A ring or window of %(value)s s is shorter than the shortest offer: nobody is rung."
    ),
    "bad_term": mark("The terms cannot be read: %(value)s."),
    # the window
    "never_reached": mark(
        "If nobody before him answers, his turn would come after %(begins_s)s s, too late for a window of "
        "%(window_s)s s: he is rung only when others are busy or decline."
    ),
    "reached_if_quick": mark(
        "If mobiles before him take as long as they may, his turn comes after %(begins_s)s s, too late for a window of "
        "%(window_s)s s."
    ),
    "list_ends_early": mark(
        "The list ends %(left_s)s s before the window of %(window_s)s s does: a caller then waits and nobody is rung."
    ),
    "last_offer_short": mark(
        "%(window_s)s s are no multiple of %(ring_s)s s: whoever is rung last has only %(rest_s)s s."
    ),
    "rest_unused": mark(
        "%(window_s)s s are no multiple of %(ring_s)s s: in the last %(rest_s)s s a caller waits and nobody is rung."
    ),
    # telephones
    "device_eats_hop": mark(
        "A dead telephone %(extension)s is noticed after %(silent_s)s s of the %(ring_s)s s: it eats the offer."
    ),
    "cap_cuts_ring": mark(
        "%(extension)s is given %(cap_s)s s at most, less than a full ring of %(ring_s)s s, however soon it rings."
    ),
    "cap_eats_hops": mark(
        "%(extension)s may take %(cap_s)s s of the window, as long as two offers of %(ring_s)s s or more."
    ),
    "mobile_counts_from_offer": mark(
        "The offer to the mobile %(extension)s counts from the order: the seconds until it rings are lost to it."
    ),
    "mobile_seems_dead": mark(
        "The mobile %(extension)s is taken for unreachable after %(silent_s)s s; over a trunk it begins to ring later."
    ),
    "voicemail_answers": mark("The voicemail of the mobile %(extension)s can take a call for a person."),
    "chain_without_line": mark("No line leads to this chain: no client gets here."),
    # hours
    "never_open": mark("The calendar %(calendar)s has no hours in the coming year: the chain never serves anybody."),
    "nobody_on_date": mark("The chain serves and nobody of its list works on %(number)s day(s): %(dates)s."),
    "hole_in_hours": mark("The chain serves and nobody of its list works %(number)s time(s): %(times)s."),
    "transfers_unknown": mark(
        "Days moved by decree in %(country)s are known up to %(known)s only; in %(year)s the calendar %(calendar)s "
        "closes on the fixed dates alone."
    ),
}
"""Code -> what is so."""

REMEDIES = {
    "given_twice": mark("Give each a name of its own."),
    "bad_id": mark("Use letters, digits, dots, dashes, underscores."),
    "shared_extension": mark("Give each person an extension of his own."),
    "line_leads_nowhere": mark("Write the chain, or lead the line to another."),
    "unknown_calendar": mark("Write the calendar, or name another."),
    "empty_list": mark("Name at least one person."),
    "unknown_person": mark("Write the person, or take the name off the list."),
    "no_extension": mark("Give him an extension, or take him off the list."),
    "head_twice": mark("Name him once: the list begins again by itself."),
    "shorter_than_min_offer": mark("Make it longer, or the shortest offer (min_offer_s) shorter."),
    "bad_term": mark("See the terms in the example file."),
    "never_reached": mark("Make rings shorter, the window longer, the list shorter, or choose another order."),
    "reached_if_quick": mark("Put mobiles at the end of the list, or give them less (cap_s)."),
    "list_ends_early": mark("Let the list begin again (on_list_end), or make the window shorter."),
    "last_offer_short": mark("Choose a window that is a multiple of the ring, if that is not meant."),
    "rest_unused": mark("Choose a window that is a multiple of the ring."),
    "device_eats_hop": mark("Give less for silence (no_ringing_after_s), or ring longer."),
    "cap_cuts_ring": mark("Give it at least a full ring (cap_s), or count from the offer."),
    "cap_eats_hops": mark("Give it less (cap_s)."),
    "mobile_counts_from_offer": mark("Count from the first ring (count_from)."),
    "mobile_seems_dead": mark("Give it longer (no_ringing_after_s), or 0: the cap alone ends it."),
    "voicemail_answers": mark("Let him press 1 (press_1)."),
    "chain_without_line": mark("Lead a line to it, or take it out."),
    "never_open": mark("Write hours into the calendar."),
    "nobody_on_date": mark("Close the chain on these dates, or let somebody work."),
    "hole_in_hours": mark("Let the chain's hours and its people's hours agree."),
    "transfers_unknown": mark("Write the moved days into the calendar's own dates when the decree is out."),
}
"""Code -> what to do."""

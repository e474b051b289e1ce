"""The routing server: calls and leads are offered to people one after another, and nothing that came in is lost.

It thinks in five words. An *event* is a fact that was admitted: past tense, stamped once. A *machine* is a pure
function from a state and an event to the next state, effects, claims and messages. An *effect* is a request to the
world: imperative. The *journal* holds all of them in one transaction. An *adapter* speaks with one neighbour.

    webhook, button, timer -> event -> machine -> state + effects -> journal -> performer -> PBX, CRM, chat

The rooms, innermost first: `basis` (values of the trade and the contract of a machine), `chains` (the machines: call,
lead, verdict; pure), `engine` (journal, timer, outbox; generic, knows no chain), the adapters (`telephony_adapter`,
`chat_notify`, `crm_bridge`, `lead_intake`, `bus`; strangers to one another), `web`, and `app`, the one place where
everything meets. Nothing in here knows `sidecars` or `simulators`: those are found by entry points.
"""

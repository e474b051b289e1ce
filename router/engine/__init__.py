"""The engine: admits events, runs machines, keeps the journal, sends effects, watches deadlines. Knows no chain.

    admission -> core (step, claims, messages) -> store (one transaction) -> answers, outbox, timer

`core` is synchronous and does no I/O; `shell` is the thin asyncio edge around it; the simulator is another edge.
Nothing leaves before the commit. Every await and commit is a named crash point (`crashes`).
"""

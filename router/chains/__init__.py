"""The chains: what happens to a call, a missed call, the people who are there. Pure.

`events` and `effects` are the only things that adapters see of this room; `terms` are what a chain is pinned to.
`call` offers a call to the heads one after another, `callback` keeps a call that nobody took until a person closes it,
`roster` knows who is there.
"""

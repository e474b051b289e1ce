"""The world in memory: a PBX, people with habits, a day's traffic and its faults, on a clock of its own.

The real engine and the real machines run inside it; only the neighbours are played. Everything random comes from one
seeded generator and time moves only when nothing else is left to do, so the same seed is the same history everywhere
and months pass in seconds. Checkers read nothing but the journal and the played PBX's own record, and judge.

The commands `hopline demo` and `hopline simulate` live here and are found by entry points.
"""

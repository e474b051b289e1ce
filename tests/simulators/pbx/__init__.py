"""The played PBX: stories on a virtual clock, and one as a process of its own."""

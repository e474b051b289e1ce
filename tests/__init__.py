"""The proof: a mirror of the rooms, and the suites that span them.

Machines are tested by stories that read like a play, laws by random histories, whole days by the simulator, and every
edge against a real neighbour where one can be installed. No test sleeps where the virtual clock can serve, and none is
left out silently: what cannot run here says so by name, and fails where CI demands it (see `tests/support`).
"""

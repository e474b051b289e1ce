"""The judges, one file for each thing that is judged. They are called together by `simulators.checkers`."""

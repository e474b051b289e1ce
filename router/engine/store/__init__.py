"""Stores of the journal. `port` says what is asked; `sqlite` and `postgres` pass the same contract suite."""

"""The played world is tested like the real one: checkers can only be as good as what they read."""

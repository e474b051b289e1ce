"""Whole programs against real neighbours, each started by the tests themselves."""

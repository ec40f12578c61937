"""Trainers that remember, fail or dawdle: a third party's plugin, for the engine's tests."""

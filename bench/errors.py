"""What can go wrong, each in one line for whoever runs the bench."""


class BenchError(Exception):
    """The bench, or one server's part of it, can't be run: says why, and what to do about it."""

"""The error that the bench reports to its user in one line."""


class BenchError(Exception):
    """The bench or one run of it failed; the message says why and what to do."""

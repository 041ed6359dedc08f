"""What the tools tell their user instead of a stack trace."""


class FleetError(Exception):
    """A tool cannot go on; the message says why and what to do."""

"""What the local fleet tells its user instead of a stack trace."""


class FleetError(Exception):
    """The local fleet cannot go on; the message says why and what to do."""

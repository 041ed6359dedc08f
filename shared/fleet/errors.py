"""How a job says that it could not do its work.

Any other exception counts as transient: nobody has yet said that trying again is hopeless.
"""


class Transient(Exception):
    """The work may succeed later: the message goes back to its queue.

    `retry_after` is the wait in seconds; without it the runtime chooses one that grows with the
    attempts.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Permanent(Exception):
    """The work can never succeed as asked.

    The message is parked in the dead letters at once, with this reason.
    """


class Refused(Permanent):
    """A destination did not accept a secret.

    It is fetched again, once (see `fleet.secrets`), and then it stays so.
    """

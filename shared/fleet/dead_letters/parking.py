"""Park a message that failed for good, with its reason, in the queue of dead letters."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from fleet import aws, secrets
from fleet.findings import cut
from fleet.settings import required

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

REASON_CHARACTERS = 1_000
# The redrive policy of every queue; a test holds the template to it.
MAX_RECEIVES = 5


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that failed: its body as it came, whose it was, and why it is here.

    `attempts` counts its receipts; `source_arn` is the queue that it came from, to which a redrive
    returns it. `message_id` is the id that it had there, and `redrives` says how often it was
    redriven before.
    """

    body: str
    job: str
    reason: str
    error_type: str
    attempts: int
    first_seen: datetime
    source_arn: str
    message_id: str = ""
    redrives: int = 0

    def attributes(self) -> "dict[str, MessageAttributeValueTypeDef]":
        """The SQS message attributes.

        Redrive and the console read them, so their names are fixed.
        """
        counts = {"attempts": self.attempts, "redrives": self.redrives}
        facts = {
            "job": self.job,
            "reason": cut(secrets.redact(self.reason), REASON_CHARACTERS),
            "error_type": self.error_type,
            "first_seen": self.first_seen.isoformat(),
            "source_arn": self.source_arn,
            "message_id": self.message_id,
        }
        return {
            **{
                name: {"DataType": "Number", "StringValue": str(figure)}
                for name, figure in counts.items()
            },
            **{
                name: {
                    "DataType": "String",
                    "StringValue": aws.UNFIT_FOR_XML.sub("\ufffd", fact) or "unknown",
                }
                for name, fact in facts.items()
            },
        }


def park(message: Parked) -> None:
    """Send the message to the queue at `DEAD_LETTERS_URL`.

    Raises what SQS raises; the message is then not parked.
    """
    aws.client("sqs").send_message(
        QueueUrl=required("DEAD_LETTERS_URL"),
        MessageBody=message.body,
        MessageAttributes=message.attributes(),
    )

"""Whether what the console depends on answers."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.ledger.reports import REPORTS, Reports
from fleet.settings import SettingsError
from fleet_console import catalogue
from fleet_console.reading.memory import Kept, Reader, kept

CHECK_SECONDS = 5.0
PASS = "pass"  # noqa: S105 - a word of health checks, not a password


class HealthReader(Reader):
    """Asks each dependency for next to nothing."""

    @kept(Kept.BRIEFLY)
    def checks(self) -> dict[str, str]:
        """Return for each dependency `pass`, or what is wrong with it, within CHECK_SECONDS.

        Anybody may ask, so of what AWS says only the code is passed on.
        """
        checks: dict[str, Callable[[], object]] = {
            "ledger": self._ask_ledger,
            "queues": self._ask_queues,
            "scheduler": self._ask_scheduler,
            "logs": self._ask_logs,
        }
        pool = ThreadPoolExecutor(len(checks), thread_name_prefix="health")
        running = {name: pool.submit(check) for name, check in checks.items()}
        wait(running.values(), CHECK_SECONDS)
        pool.shutdown(wait=False, cancel_futures=True)
        return {name: _verdict(future) for name, future in running.items()}

    def _ask_ledger(self) -> None:
        self.places.ledger.get(Reports, (REPORTS, "-"))

    def _ask_queues(self) -> None:
        aws.client("sqs").get_queue_attributes(
            QueueUrl=self.places.dead_letters_url, AttributeNames=["QueueArn"]
        )

    def _ask_scheduler(self) -> None:
        scheduler = aws.client("scheduler")
        job = next(job for job in catalogue.jobs().values() if job.scheduled)
        try:
            scheduler.get_schedule(Name=self.places.function(job.name))
        except scheduler.exceptions.ResourceNotFoundException:
            return  # it answers; which jobs there are is another question

    def _ask_logs(self) -> None:
        aws.client("logs").filter_log_events(logGroupName=self.places.log_group, limit=1)


def _verdict(future: Future[object]) -> str:
    if not future.done():
        return f"no answer within {CHECK_SECONDS:.0f} s"
    match future.exception():
        case None:
            return PASS
        case ClientError() as error:
            return f"refused: {aws.error_code(error)}"
        case SettingsError() as error:
            return str(error)
        case BotoCoreError() as error:
            return f"no answer: {type(error).__name__}"
        case error:
            return f"failed: {type(error).__name__}"

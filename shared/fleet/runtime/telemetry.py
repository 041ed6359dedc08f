"""The job's one logger and its metrics: JSON lines, and CloudWatch's embedded metric format."""

import functools
import logging
import warnings
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from fleet import secrets
from fleet.settings import required

NAMESPACE = "Fleet"


class _Redacting(LambdaPowertoolsFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return secrets.redact(super().format(record))


logger = Logger(logger_formatter=_Redacting(use_rfc3339=True))
metrics = Metrics(namespace=NAMESPACE)
warnings.filterwarnings("ignore", "No application metrics to publish")  # an invocation that failed early has none


def job_name() -> str:
    """The job's name, as its folder and the template give it."""
    return required("POWERTOOLS_SERVICE_NAME")


def count(**figures: float) -> None:
    """Add counts to the invocation's metrics: `count(Findings=3)`."""
    for name, value in figures.items():
        metrics.add_metric(name=name, unit="Count", value=value)


def instrumented(handler: Any) -> Any:
    """Log each line with the invocation's ids, and flush the metrics when the handler ends, well or badly.

    Metrics have the dimensions `service`, the job, and `stage`, since stages may share an account.
    """

    @functools.wraps(handler)
    def staged(event: Any, context: Any) -> Any:
        metrics.add_dimension("stage", required("STAGE"))
        try:
            return handler(event, context)
        except Exception as error:
            # Lambda writes what leaves the handler into the log and into the dead letters by itself.
            if (shown := secrets.redact(str(error))) != str(error):
                raise RuntimeError(f"{type(error).__name__}: {shown}") from None
            raise

    with_metrics = metrics.log_metrics(staged, capture_cold_start_metric=True)
    return logger.inject_lambda_context(with_metrics, clear_state=True)

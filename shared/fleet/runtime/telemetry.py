"""The job's one logger and its metrics: JSON lines, and CloudWatch's embedded metric format."""

import functools
import logging
import warnings
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from fleet import secrets
from fleet.settings import required

NAMESPACE = "Fleet"
# Fields of the logger's JSON lines that say nothing of what happened: whatever shows lines to
# people leaves them out.
NOISE = frozenset(
    {
        "cold_start",
        "function_arn",
        "function_memory_size",
        "function_name",
        "sampling_rate",
        "xray_trace_id",
    }
)
# The longest value of a dimension (CloudWatch API reference, Dimension).
DIMENSION_CHARACTERS = 1_024


class _Redacting(LambdaPowertoolsFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return secrets.redact(super().format(record))


# Both live as long as the process.
logger = Logger(logger_formatter=_Redacting(use_rfc3339=True))
metrics = Metrics(namespace=NAMESPACE)
warnings.filterwarnings(
    "ignore", "No application metrics to publish"
)  # an invocation that failed early has none


def job_name() -> str:
    """Return the job's name, as its folder and the template give it.

    Raises `SettingsError` without one.
    """
    return required("POWERTOOLS_SERVICE_NAME")


def count(**figures: float) -> None:
    """Add counts to the invocation's metrics: `count(Findings=3)`."""
    for name, value in figures.items():
        metrics.add_metric(name=name, unit="Count", value=value)


def measure(
    about: Mapping[str, str], counts: Mapping[str, float], milliseconds: Mapping[str, float]
) -> None:
    """Write metrics of one thing that the job looked at.

    `about` are the dimensions that tell it from others; CloudWatch bills each metric of each such
    thing. Names that are not ASCII cannot be dimensions, so they are escaped.
    """
    own = AmazonCloudWatchEMFProvider(namespace=NAMESPACE)
    own.add_dimension("stage", required("STAGE"))
    for name, value in about.items():
        own.add_dimension(
            name, value.encode("ascii", "backslashreplace").decode()[:DIMENSION_CHARACTERS]
        )
    for unit, figures in (("Count", counts), ("Milliseconds", milliseconds)):
        for name, figure in figures.items():
            own.add_metric(name, unit, figure)
    own.flush_metrics()


def instrumented(handler: Any) -> Any:
    """Log each line with the invocation's ids, and flush the metrics however the handler ends.

    Metrics have the dimensions `service`, the job, and `stage`, since stages may share an account.
    """

    @functools.wraps(handler)
    def staged(event: Any, context: Any) -> Any:
        metrics.add_dimension("stage", required("STAGE"))
        try:
            return handler(event, context)
        except Exception as error:
            # Lambda writes what leaves the handler into the log and into the dead letters by
            # itself.
            if (shown := secrets.redact(str(error))) != str(error):
                raise RuntimeError(f"{type(error).__name__}: {shown}") from None
            raise

    with_metrics = metrics.log_metrics(staged, capture_cold_start_metric=True)
    return logger.inject_lambda_context(with_metrics, clear_state=True)

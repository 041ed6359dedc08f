import pytest

from fleet.errors import Permanent, Refused, Transient


@pytest.mark.parametrize("retry_after", [None, 0, 2.5], ids=["unknown", "at once", "seconds"])
def test_a_transient_error_carries_its_reason_and_when_to_try_again(
    retry_after: float | None,
) -> None:
    error = Transient("the queue is full", retry_after=retry_after)
    assert (str(error), error.retry_after) == ("the queue is full", retry_after)


def test_a_secret_refused_for_good_is_permanent_and_no_other_kind_passes_for_another() -> None:
    kinds = (Transient, Permanent, Refused)
    assert [(a, b) for a in kinds for b in kinds if a is not b and issubclass(a, b)] == [
        (Refused, Permanent)
    ]

from datetime import timedelta

import pytest
from tools.errors import FleetError
from tools.operate.dead_letter_arguments import required_selection, selection
from tools.operate.dead_letters import arguments

from fleet.dead_letters.redrive import Selection


def test_without_a_verb_all_letters_are_listed() -> None:
    asked = arguments([])
    assert (asked.verb, selection(asked)) == ("list", Selection())


def test_what_is_given_selects_letters() -> None:
    asked = arguments(["redrive", "--job", "a", "--job", "b*", "--older-than", "12h"])
    expected = Selection(jobs=("a", "b*"), older_than=timedelta(hours=12))
    assert required_selection(asked) == expected


@pytest.mark.parametrize("verb", [["redrive"], ["discard", "--reason", "x"]])
def test_all_letters_are_meant_only_when_somebody_says_so(verb: list[str]) -> None:
    with pytest.raises(FleetError, match="say which letters"):
        required_selection(arguments(verb))
    assert required_selection(arguments([*verb, "--all"])) == Selection()

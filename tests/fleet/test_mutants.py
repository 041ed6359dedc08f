"""What protects the fleet is held by a rule: when it is weakened, a rule names it."""

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from tests.fleet import test_limits, test_permissions, test_queues, test_stores
from tests.fleet.mutants import SAYS, WEAKENED, Mutant, applied, mutants, name_of, protections
from tests.fleet.template import Template, real


@pytest.fixture(scope="module")
def template() -> Template:
    """A template that is changed and changed back."""
    return copy.deepcopy(real())


def violations(template: Template, sources: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield what the rules that guard protections say, the cheapest rules first."""
    yield from test_limits.violations(template)
    yield from test_stores.violations(template)
    yield from test_queues.violations(template)
    yield from test_permissions.violations(template, sources)


def named(mutant: Mutant, found: Iterator[str]) -> bool:
    """Whether one of the rules says what `SAYS` has for the protection."""
    message = re.compile(SAYS[name_of(mutant.path)])
    return any(map(message.search, found))


def test_every_mutant_is_named(
    template: Template, record_property: Callable[[str, object], None]
) -> None:
    sources, tried, survivors = test_permissions.sources(), Counter[str](), list[str]()
    assert list(violations(template, sources)) == []

    for mutant in mutants(template):
        tried[name_of(mutant.path)] += 1
        with applied(mutant, template) as changed:
            if not named(mutant, violations(changed, sources)):
                survivors.append(str(mutant))

    assert survivors == []
    assert template == real()
    assert set(tried) == set(WEAKENED) == set(SAYS), "a protection is listed that nothing has"
    record_property(
        "figure", f"{tried.total()} mutants of {len(list(protections(template)))} protections"
    )

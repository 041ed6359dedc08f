"""Links of documents lead somewhere, and decisions are numbered without a gap."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from tests.fleet.repository import files
from tests.fleet.template import real, resources, seeded
from tools.develop import docs, permissions
from tools.manifest import ROOT

LINK = re.compile(
    r"(?<!!)\[[^\]]*\]\(<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|!\[[^\]]*\]\(([^)\s]+)\)",
    re.MULTILINE,
)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
DECISIONS = ROOT / "docs" / "decisions"


def broken(document: Path, root: Path) -> Iterator[str]:
    """Yield each link of a document that leads nowhere inside the repository."""
    for match in LINK.finditer(CODE.sub(lambda code: "`" * len(code[0]), document.read_text())):
        target = next(group for group in match.groups() if group)
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        place = (document.parent / path).resolve() if path else document
        name = document.relative_to(root)
        if not place.is_relative_to(root.resolve()) or not place.exists():
            yield f"{name}: {target} leads nowhere"
        elif anchor and place.suffix == ".md" and anchor not in anchors(place.read_text()):
            yield f"{name}: {target} names no heading of {place.name}"


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    headings = re.findall(
        r"^#{1,6} +(.+?) *#*$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    return {
        re.sub(r"[^\w\- ]", "", _plain(heading).lower()).replace(" ", "-") for heading in headings
    }


def decision_violations(names: list[str]) -> Iterator[str]:
    """Yield each decision that is misnamed, or whose number is not the next."""
    for expected, name in enumerate(sorted(names), start=1):
        if not re.fullmatch(r"\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md", name):
            yield f"docs/decisions/{name}: call it {expected:04}-title-in-lower-case.md"
        elif int(name[:4]) != expected:
            yield f"docs/decisions/{name}: the next number is {expected:04}"


def _plain(heading: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)


def test_every_link_leads_somewhere() -> None:
    documents = [path for path in files() if path.suffix == ".md"]

    assert [fault for document in documents for fault in broken(document, ROOT)] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    names = [path.name for path in DECISIONS.glob("*") if path.name != "README.md"]

    assert names
    assert list(decision_violations(names)) == []


def test_every_decision_has_a_title() -> None:
    assert [
        path.name for path in DECISIONS.glob("[0-9]*.md") if not path.read_text().startswith("# ")
    ] == []


def test_what_is_generated_is_up_to_date() -> None:
    assert [path for path, text in docs.renewed().items() if path.read_text() != text] == [], (
        "run `make docs`"
    )


def test_the_table_of_permissions_has_every_statement() -> None:
    policies = [
        policy
        for _, role in resources(real(), "AWS::IAM::Role")
        for policy in role.get("Policies", [])
    ]
    managed = [policy for _, policy in resources(real(), "AWS::IAM::ManagedPolicy")]
    written = [
        statement
        for policy in (*policies, *managed)
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert len(list(permissions.grants(real()))) == len(written)


def test_a_new_right_is_in_the_table_of_permissions() -> None:
    statement = {
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Bucket}/*"},
        "Condition": {"StringEquals": {"s3:ExistingObjectTag/open": ["yes", "so"]}},
    }
    changed = seeded(
        "Resources/PruneObjectsRole/Properties/Policies/0/PolicyDocument/Statement/-", statement
    )

    condition = "`s3:ExistingObjectTag/open = so or yes`"
    row = f"| prune_objects | `s3:GetObject` | `s3:<Bucket>/*` | {condition} |"
    assert row in permissions.document(changed)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("[run](other.md)", "README.md: other.md leads nowhere"),
        ("[run](../outside.md)", "README.md: ../outside.md leads nowhere"),
        ("[run](#stop)", "README.md: #stop names no heading of README.md"),
        ("[run](docs/a.md#stop)", "README.md: docs/a.md#stop names no heading of a.md"),
        ("![run](run.png)", "README.md: run.png leads nowhere"),
        ("[run]: other.md", "README.md: other.md leads nowhere"),
    ],
)
def test_a_broken_link_is_named(tmp_path: Path, link: str, said: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A job: `look_at`\n")
    (tmp_path / "README.md").write_text(
        f"# Title\n[a](docs/a.md#a-job-look_at) `[b](c)` [d](https://e.f) [g](#title)\n{link}\n"
    )

    assert list(broken(tmp_path / "README.md", tmp_path)) == [said]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["0001-one.md", "0003-three.md"], "0003-three.md: the next number is 0002"),
        (["0001-one.md", "0001-other.md"], "0001-other.md: the next number is 0002"),
        (["0001-One.md"], "0001-One.md: call it 0001-title"),
    ],
)
def test_a_misnumbered_decision_is_named(names: list[str], said: str) -> None:
    assert said in "\n".join(decision_violations(names))

"""What dead letters have in common, and what of them may be shown.

Texts without ids, figures, secrets and values.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.findings import cut

CAUSE_CHARACTERS = 160
OUTLINE_CHARACTERS = 400
# What differs between two failures of one cause, longest first: addresses, ARNs, ids, dates and
# other figures.
VARYING = re.compile(
    r"https?://\S+|\barn:[^\s'\",)]+|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b(?=[A-Za-z_-]*\d)[A-Za-z0-9+_-]{16,}={0,2}|\b(?=[a-f]*\d)[0-9a-f]{8,}\b|\d+",
    re.IGNORECASE,
)
FIGURES = re.compile(r"#(?:[-+:.,/TZ ]*#)+Z?")
# What looks like a secret. The jobs redact those that they fetched; this is for what others wrote
# into a reason.
SECRET = re.compile(
    r"(?i)\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bxox[a-z]-\S+|\bwhsec_\S+|\beyJ[\w-]+\.[\w.-]+"
    r"|(?<=//)[^/\s@]+(?=@)|(?<=hooks\.slack\.com/)\S+"
    r"|(?:(?<=bearer )|(?<=basic ))\S+"
    r"|(?<=[?&])[\w-]*(?:token|key|secret|signature|password)[\w-]*=[^&\s]+"
    r"|\b[\w-]*(?:password|passwd|secret|token|api_?key)[\"']?\s*[=:]\s*[\"']?[^\s\"',}]+"
)


@dataclass(frozen=True, slots=True)
class Cause:
    """What letters of one cause have in common, so that one repair ends them all.

    `reason` is without what differs between them.
    """

    job: str
    error_type: str
    reason: str

    @property
    def id(self) -> str:
        """A short name, the same wherever and whenever the cause is seen."""
        return hashlib.sha256(
            "\0".join((self.job, self.error_type, self.reason)).encode()
        ).hexdigest()[:8]


def generalise(reason: str) -> str:
    """Return a reason without ids, figures and addresses, which differ each time."""
    plain = VARYING.sub("#", " ".join(masked(reason).split()))
    return FIGURES.sub("#", plain)[:CAUSE_CHARACTERS]


def masked(text: str) -> str:
    """Return `text` without what looks like a secret."""
    return SECRET.sub("[masked]", text)


def outline(body: str) -> str:
    """Say what kind of event a body is, and the names of what it has.

    Of its values, only those that name the event are shown.
    """
    match decoded(body):
        case {"source": str(source), "detail-type": str(kind), "detail": dict(detail), **rest}:
            return masked(
                cut(
                    f"{source} / {kind}, id {rest.get('id')}, with {_names(detail)}",
                    OUTLINE_CHARACTERS,
                )
            )
        case dict(document):
            return masked(cut(f"JSON with {_names(document)}", OUTLINE_CHARACTERS))
        case list(items):
            return f"a JSON list of {len(items)}"
    return f"text of {len(body)} characters"


def decoded(text: str) -> Any:
    """Return what a JSON text says, or None for any other."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # plain text is an event too
        return None


def _names(document: Mapping[str, Any]) -> str:
    return ", ".join(map(str, document)) or "nothing"

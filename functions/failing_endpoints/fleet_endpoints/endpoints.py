"""Endpoints as gatus lists them: what the entries of a list may say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import SplitResult, quote, urlsplit

from fleet.findings import SUBJECT_CHARACTERS
from fleet.probes.target import Target, parse_target
from fleet.settings import within, written
from fleet_endpoints import conditions, dns
from fleet_endpoints.conditions import Condition

KINDS = ("http", "https", "tcp", "tls", "starttls", "dns")
PORTS = {"http": 80, "https": 443, "dns": dns.PORT}
LONGEST_SECONDS = 60.0
# What every part of a URL may hold as it is; the rest is encoded.
PLAIN = "%/:=&?~#+!$,;'@()*[]"

SECRET = re.compile(r"\$\{(/[\w./-]+)\}", re.ASCII)
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OWN_WORDS = {"[ENDPOINT_NAME]": "name", "[ENDPOINT_GROUP]": "group", "[ENDPOINT_URL]": "url"}
OTHER_WORDS = re.compile(r"\[(RANDOM_STRING_\d+|LOCAL_ADDRESS|CONTEXT)\]")

parsed = lru_cache(maxsize=4096)(conditions.parse)


@dataclass(frozen=True, slots=True)
class Question:
    """What a name server is asked."""

    query_name: str = field(metadata=written("query-name"))
    query_type: str = field(metadata=written("query-type"))

    def __post_init__(self) -> None:
        dns.check(self.query_name, self.query_type)


@dataclass(frozen=True, slots=True)
class Client:
    """How an endpoint is asked: for how long, and whether by HTTPS or TLS whose certificate nobody can verify."""

    timeout: str = "10s"
    insecure: bool = False
    ignore_redirect: bool = field(default=True, metadata=written("ignore-redirect"))
    network: Any = None
    store_cookies: Any = field(default=None, metadata=written("store-cookies"))

    def __post_init__(self) -> None:
        within("timeout, in seconds,", self.seconds, 0.001, LONGEST_SECONDS)

    @property
    def seconds(self) -> float:
        return conditions.duration(self.timeout) / 1000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One entry. `private` and `severity` are the fleet's own; what gatus knows and `ignored` names has no effect."""

    name: str
    url: str
    conditions: tuple[str, ...]
    group: str = ""
    enabled: bool = True
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    graphql: bool = False
    dns: Question | None = None
    client: Client = field(default_factory=Client)
    private: bool = False
    severity: Literal["critical", "warning", "info"] = "warning"
    interval: Any = None
    alerts: Any = None
    ui: Any = None
    extra_labels: Any = field(default=None, metadata=written("extra-labels"))
    maintenance_windows: Any = field(default=None, metadata=written("maintenance-windows"))

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))

    def __str__(self) -> str:
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def kind(self) -> str:
        """How it is probed: `dns`, or its URL's scheme."""
        return "dns" if self.dns else self.url.partition("://")[0].lower()

    @property
    def place(self) -> Target:
        """Where it is. Raises `ValueError`."""
        parts = self._parts()
        if self.kind not in KINDS:
            raise ValueError(f"{self.url!r} cannot be probed: that is for {', '.join(KINDS)} only")
        if "@" in parts.netloc:
            raise ValueError(
                "the URL holds credentials: write an Authorization header with a secret"
            )
        if not (port := parts.port or PORTS.get(self.kind, 0)):
            raise ValueError(f"{self.url!r} names no port")
        return parse_target(parts.hostname or "", port, private=self.private)

    @property
    def path(self) -> str:
        parts = self._parts()
        return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=PLAIN)

    @property
    def shown(self) -> str:
        """The URL without what may be secret in it."""
        return self.url.partition("?")[0].partition("#")[0]

    @property
    def checks(self) -> list[Condition]:
        return [parsed(text) for text in self.conditions]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets in its headers."""
        return tuple(
            dict.fromkeys(name for value in self.headers.values() for name in SECRET.findall(value))
        )

    @property
    def ignored(self) -> tuple[str, ...]:
        """What the entry says that has no effect here."""
        unused = {
            "interval": self.interval,
            "alerts": self.alerts,
            "ui": self.ui,
            "extra-labels": self.extra_labels,
            "maintenance-windows": self.maintenance_windows,
            "client.ignore-redirect": not self.client.ignore_redirect,
            "client.network": self.client.network,
            "client.store-cookies": self.client.store_cookies,
        }
        return tuple(name for name, value in unused.items() if value)

    def _parts(self) -> SplitResult:
        if re.search(r"[\s\\]", self.url) or not self.url.isprintable():
            raise ValueError(f"{self.url!r} is no URL")
        return urlsplit(f"//{self.url}" if self.dns else self.url)

    def _faults(self) -> Iterator[str]:
        if not self.name or not str(self).isprintable():
            yield "name must be printable text"
        if len(str(self)) > SUBJECT_CHARACTERS:
            yield f"name must have, with its group, at most {SUBJECT_CHARACTERS} characters, not {len(str(self))}"
        try:
            self.place  # noqa: B018 - it is made to see whether it can be
        except ValueError as error:
            yield f"url: {error}"
        if not TOKEN.fullmatch(self.method):
            yield f"method: {self.method!r} is none"
        yield from self._of_conditions()
        yield from self._of_words()

    def _of_conditions(self) -> Iterator[str]:
        if not self.conditions:
            yield "conditions: at least one is needed, such as [STATUS] == 200"
        for text in self.conditions:
            try:
                parsed(text)
            except ValueError as error:
                yield f"conditions: {error}"

    def _of_words(self) -> Iterator[str]:
        """What stands for something else."""
        for name, value in self.headers.items():
            rest = SECRET.sub("", value)
            if not (TOKEN.fullmatch(name) and rest.isascii() and rest.isprintable()):
                yield f"headers: {name!r} must be a header's name, and its value printable ASCII"
            elif "${" in rest:
                yield f"headers: {name}: no environment variable is known here, but a secret: ${{/its/name/in/SSM}}"
        for what, text in (("url", self.url), ("body", self.body)):
            if "${" in text:
                yield f"{what}: no environment variable is known here; secrets go into headers"
        if word := OTHER_WORDS.search(self.body):
            yield f"body: {word[0]} is not known here, only {', '.join(OWN_WORDS)}"

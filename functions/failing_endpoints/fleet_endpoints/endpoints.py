"""Endpoints as gatus lists them: what the entries of a list may say.

The keys are those of https://github.com/TwiN/gatus#configuration, so that a list made for gatus can
be used as it is; the documentation of each key is there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import SplitResult, quote, urlsplit

from fleet.findings import SUBJECT_CHARACTERS
from fleet.mappings import yaml_key
from fleet.probes.target import Target, parse_target
from fleet.settings import within
from fleet_endpoints import conditions, dns
from fleet_endpoints.conditions import Condition
from fleet_endpoints.values import duration

KINDS = ("http", "https", "tcp", "tls", "starttls", "dns")
PORTS = {"http": 80, "https": 443, "dns": dns.PORT}
LONGEST_SECONDS = 60.0
# What the path and query of a URL may hold as it is (RFC 3986, 3.3 and 3.4), and more that servers
# take; the rest is encoded.
PLAIN = "%/:=&?~#+!$,;'@()*[]"

SECRET = re.compile(r"\$\{(/[\w./-]+)\}", re.ASCII)
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: methods, names of headers
OWN_WORDS = {"[ENDPOINT_NAME]": "name", "[ENDPOINT_GROUP]": "group", "[ENDPOINT_URL]": "url"}
OTHER_WORDS = re.compile(r"\[(RANDOM_STRING_\d+|LOCAL_ADDRESS|CONTEXT)\]")
NO_VARIABLES = "environment variables are not known here"


@dataclass(frozen=True, slots=True)
class Question:
    """What a name server is asked: the key `dns` of an entry."""

    query_name: str = field(metadata=yaml_key("query-name"))
    query_type: str = field(metadata=yaml_key("query-type"))

    def __post_init__(self) -> None:
        dns.check_question(self.query_name, self.query_type)


@dataclass(frozen=True, slots=True)
class Client:
    """How an endpoint is asked: the key `client` of an entry.

    `timeout` is for all of a probe; with `insecure`, certificates are not verified.
    """

    timeout: str = "10s"
    insecure: bool = False
    ignore_redirect: bool = field(default=True, metadata=yaml_key("ignore-redirect"))
    network: Any = None
    store_cookies: Any = field(default=None, metadata=yaml_key("store-cookies"))

    def __post_init__(self) -> None:
        within("timeout, in seconds,", self.seconds, 0.001, LONGEST_SECONDS)

    @property
    def seconds(self) -> float:
        """The timeout in seconds. Raises `ValueError`."""
        return duration(self.timeout) / 1000


@dataclass(frozen=True)
class Endpoint:
    """One entry of the list; as text its group and name, which identify it.

    `private` (its address may be one of a private network) and `severity` are the fleet's own keys.
    What `ignored` names has no effect.
    """

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
    extra_labels: Any = field(default=None, metadata=yaml_key("extra-labels"))
    maintenance_windows: Any = field(default=None, metadata=yaml_key("maintenance-windows"))

    def __post_init__(self) -> None:
        faults = [
            *self._name_faults(),
            *self._url_faults(),
            *self._method_faults(),
            *self._condition_faults(),
            *self._header_faults(),
            *self._body_faults(),
        ]
        if faults:
            raise ValueError("; ".join(faults))

    def __str__(self) -> str:
        return f"{self.group}/{self.name}" if self.group else self.name

    @cached_property
    def kind(self) -> str:
        """How it is probed, one of `KINDS`: `dns`, or its URL's scheme."""
        if self.dns:
            return "dns"
        scheme, _, _ = self.url.partition("://")
        return scheme.lower()

    @cached_property
    def target(self) -> Target:
        """Where it is. Raises `ValueError`."""
        parts = self._parts
        if self.kind not in KINDS:
            raise ValueError(f"{self.url!r} cannot be probed: only {', '.join(KINDS)} can")
        if "@" in parts.netloc:
            raise ValueError(
                "the URL holds credentials: write an Authorization header with a secret"
            )
        port = parts.port or PORTS.get(self.kind)
        if not port:
            raise ValueError(f"{self.url!r} has no port")
        return parse_target(parts.hostname or "", port, private=self.private)

    @cached_property
    def path(self) -> str:
        """The path and query of its URL, encoded."""
        path = self._parts.path or "/"
        query = self._parts.query
        return quote(f"{path}?{query}" if query else path, safe=PLAIN)

    @cached_property
    def parsed_conditions(self) -> list[Condition]:
        """Its conditions. Raises `ValueError`."""
        return [conditions.parse(text) for text in self.conditions]

    @property
    def shown_url(self) -> str:
        """The URL without query and fragment, which may hold secrets."""
        return re.split(r"[?#]", self.url, maxsplit=1)[0]

    @property
    def secret_names(self) -> list[str]:
        """The names of the secrets in its headers, each once."""
        texts = " ".join(self.headers.values())
        names = SECRET.findall(texts)
        return list(dict.fromkeys(names))

    @property
    def ignored(self) -> list[str]:
        """The keys of the entry that have no effect here."""
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
        return [key for key, value in unused.items() if value]

    def looks_at(self, fact: str) -> bool:
        """Whether any condition is about a fact, such as `BODY`."""
        return any(condition.looks_at(fact) for condition in self.parsed_conditions)

    @cached_property
    def _parts(self) -> SplitResult:
        if re.search(r"[\s\\]", self.url) or not self.url.isprintable():
            raise ValueError(f"{self.url!r} is not a URL")
        return urlsplit(f"//{self.url}" if self.dns else self.url)

    def _name_faults(self) -> Iterator[str]:
        identity = str(self)
        if not self.name or not identity.isprintable():
            yield "name must be printable text"
        if len(identity) > SUBJECT_CHARACTERS:
            limit = f"at most {SUBJECT_CHARACTERS} characters, not {len(identity)}"
            yield f"name must have, with its group, {limit}"

    def _url_faults(self) -> Iterator[str]:
        try:
            self.target  # noqa: B018 - it is made to see whether it can be
        except ValueError as error:
            yield f"url: {error}"
        if "${" in self.url:
            yield f"url: {NO_VARIABLES}; secrets go into headers"

    def _method_faults(self) -> Iterator[str]:
        if not TOKEN.fullmatch(self.method):
            yield f"method: {self.method!r} is not an HTTP method"

    def _condition_faults(self) -> Iterator[str]:
        if not self.conditions:
            yield "conditions: at least one is needed, such as [STATUS] == 200"
        for text in self.conditions:
            try:
                conditions.parse(text)
            except ValueError as error:
                yield f"conditions: {error}"

    def _header_faults(self) -> Iterator[str]:
        for name, value in self.headers.items():
            rest = SECRET.sub("", value)
            sendable = rest.isascii() and rest.isprintable()
            if not TOKEN.fullmatch(name) or not sendable:
                yield f"headers: {name!r} must be a header's name, and its value printable ASCII"
            elif "${" in rest:
                yield f"headers: {name}: {NO_VARIABLES}; write a secret as ${{/its/name/in/SSM}}"

    def _body_faults(self) -> Iterator[str]:
        if "${" in self.body:
            yield f"body: {NO_VARIABLES}; secrets go into headers"
        if word := OTHER_WORDS.search(self.body):
            yield f"body: {word[0]} is not known here, only {', '.join(OWN_WORDS)}"

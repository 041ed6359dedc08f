"""What a probe learns about an endpoint, and how conditions name it."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

PLACEHOLDERS = (
    "STATUS",
    "RESPONSE_TIME",
    "IP",
    "BODY",
    "CONNECTED",
    "CERTIFICATE_EXPIRATION",
    "DNS_RCODE",
)


@dataclass
class Facts:
    """What a probe has learnt so far; whatever it did not come to stays as it is here.

    `response_time` and `certificate_expiration` (how long the certificate is valid yet) are in
    milliseconds; the latter is 0 where no condition looks at it. `dns_rcode` is a name server's
    code, such as NOERROR, and `location` is where a redirect leads, without its query.
    """

    connected: bool = False
    status: int = 0
    response_time: float = 0
    ip: str = ""
    body: bytes = b""
    certificate_expiration: float = 0
    dns_rcode: str = ""
    location: str = ""

    @cached_property
    def text(self) -> str:
        """The body as text. Ask for it when the probe is over."""
        return self.body.decode(errors="replace").strip()

    @cached_property
    def document(self) -> Any:
        """The body as JSON; None if it is not JSON. Ask for it when the probe is over."""
        try:
            return json.loads(self.body, parse_constant=int)  # refuses NaN, which is not JSON
        except (ValueError, RecursionError):  # then it has no paths, and is only text
            return None

    def value(self, placeholder: str) -> str:  # noqa: PLR0911 - one for each placeholder
        """Return what one of `PLACEHOLDERS` stands for; empty where the probe did not learn it."""
        match placeholder:
            case "STATUS":
                return str(self.status)
            case "RESPONSE_TIME":
                return str(int(self.response_time))
            case "IP":
                return self.ip
            case "BODY":
                return self.text
            case "CONNECTED":
                return str(self.connected).lower()
            case "CERTIFICATE_EXPIRATION":
                return str(int(self.certificate_expiration))
            case "DNS_RCODE":
                return self.dns_rcode
        raise KeyError(placeholder)

"""Who may ask, from where, and what browsers may do with the answers.

The console authenticates nobody by itself. Behind IAM, the request's context says who it is; behind an authenticating
proxy, the header that the settings name; without either it serves this machine only, to whoever is logged in there.
"""

import getpass
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.sansio.utils import host_is_trusted

from fleet.runtime.telemetry import logger
from fleet_console.settings import Settings

# A form cannot send a header of its own, and a script of another site must ask first, which nothing here answers.
WRITE_HEADER = "Fleet-Console"
SAFE = {"GET", "HEAD", "OPTIONS"}
LIVE, HEALTH = "/v1/live", "/v1/health"
THIS_MACHINE = ["localhost", "127.0.0.1"]
LOOPBACK = {"127.0.0.1", "::1"}
LONGEST_IDENTITY = 256
HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
Identify = Callable[[Request], str | None]


def protect(app: Flask, settings: Settings, identify: Identify | None = None) -> None:
    """Let only those in who may ask, and log who wrote what. Who passes `identify` vouches for the host as well."""
    hosts = None if identify else [*THIS_MACHINE, *settings.trusted_hosts]
    if identify is None:
        identify = (
            of_proxy(settings.identity_header) if settings.identity_header else of_this_machine
        )

    @app.before_request
    def admit() -> None:
        g.who = ""
        if request.path != LIVE:
            _know_host(hosts)
        if request.path not in (LIVE, HEALTH):
            g.who = _known(identify(request))
            if request.method not in SAFE and not of_our_own(request):
                raise Forbidden(
                    f"a write needs the header {WRITE_HEADER}: 1, or to come from the console's own pages"
                )

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        if request.method not in SAFE:
            logger.info(
                "operated",
                who=g.who,
                method=request.method,
                path=request.path,
                status=response.status_code,
            )
        return response


def _know_host(hosts: list[str] | None) -> None:
    host = request.headers.get("Host", "")
    if hosts is not None and not host_is_trusted(host, hosts):
        raise BadRequest(f"this console is not {host!r:.100}: HOSTS says what it is")


def _known(who: str | None) -> str:
    if not who:
        raise Forbidden("nobody vouches for who you are: see how the console is to be deployed")
    return who


def of_our_own(asked: Request) -> bool:
    """Whether a write is no other site's: browsers tell from where a form comes, and let no site pretend."""
    if WRITE_HEADER in asked.headers:
        return True
    if site := asked.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    try:
        origin = urlsplit(asked.headers.get("Origin", "")).netloc
    except ValueError:  # no address at all
        return False
    return origin == asked.headers.get("Host", "") != ""


def of_iam(asked: Request) -> str | None:
    """Who signed the request, as the function URL or the HTTP API verified it."""
    match asked.environ.get("apig_wsgi.request_context"):
        case {"authorizer": {"iam": {"userArn": str(arn)}}}:
            return arn
    return None


def of_proxy(header: str) -> Identify:
    """Who the authenticating proxy says it is. It must replace what a client sends under this name."""

    def identify(asked: Request) -> str | None:
        who = asked.headers.get(header, "")
        return (
            who if "," not in who and len(who) <= LONGEST_IDENTITY and who.isprintable() else None
        )

    return identify


def of_this_machine(asked: Request) -> str | None:
    """The user of this machine, and nobody else."""
    return getpass.getuser() if asked.remote_addr in LOOPBACK else None

"""Who may ask, from where, and what browsers may do with the answers.

The console authenticates nobody by itself. Behind IAM, the request's context says who it is; behind
an authenticating proxy, the header that the settings name does. Without either it serves this
machine only, to the user who is logged in there.
"""

import getpass
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.sansio.utils import host_is_trusted

from fleet.runtime.telemetry import logger
from fleet_console.settings import Settings

# A form cannot send a header of its own, and a script of another site would have to ask first
# (a CORS preflight), which nothing here answers.
WRITE_HEADER = "Fleet-Console"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LIVE, HEALTH = "/v1/live", "/v1/health"
THIS_MACHINE = ["localhost", "127.0.0.1"]
LOOPBACK = {"127.0.0.1", "::1"}
LONGEST_IDENTITY = 256
POLICY = (
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
# Source: OWASP HTTP Headers Cheat Sheet.
HEADERS = {
    "Content-Security-Policy": "; ".join(POLICY),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
Identify = Callable[[Request], str | None]


def protect(app: Flask, settings: Settings, identify: Identify | None = None) -> None:
    """Admit only those who may ask, and log who wrote what.

    `identify` says who sent a request, or None. A caller that passes it answers for the host too;
    without it, both follow from the settings.
    """
    hosts: list[str] | None = None
    if identify is None:
        hosts = [*THIS_MACHINE, *settings.trusted_hosts]
        header = settings.identity_header
        identify = proxy_identity(header) if header else local_identity

    @app.before_request
    def admit() -> None:
        g.who = ""
        if request.path == LIVE:
            return
        if hosts is not None:
            _check_host(hosts)
        if request.path != HEALTH:
            g.who = _authenticate(identify)
            _check_write()

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        if request.method not in SAFE_METHODS:
            logger.info(
                "operated",
                who=g.who,
                method=request.method,
                path=request.path,
                status=response.status_code,
            )
        return response


def is_our_own(request: Request) -> bool:
    """Whether no other site sent a write. Browsers say where a form comes from; no site can lie."""
    if WRITE_HEADER in request.headers:
        return True
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    try:
        origin = urlsplit(request.headers.get("Origin", "")).netloc
    except ValueError:  # not an address
        return False
    return origin != "" and origin == request.headers.get("Host", "")


def iam_identity(request: Request) -> str | None:
    """Return who signed the request, as the function URL or the HTTP API verified it."""
    match request.environ.get("apig_wsgi.request_context"):
        case {"authorizer": {"iam": {"userArn": str(arn)}}}:
            return arn
    return None


def proxy_identity(header: str) -> Identify:
    """Return what finds in a header who the authenticating proxy says it is.

    The proxy must replace what a client sends under this name. Two values in one header, joined by
    a comma, show that it does not.
    """

    def identify(request: Request) -> str | None:
        who = request.headers.get(header, "")
        if "," in who or len(who) > LONGEST_IDENTITY or not who.isprintable():
            return None
        return who

    return identify


def local_identity(request: Request) -> str | None:
    """Return the user of this machine, or None for a request from any other."""
    return getpass.getuser() if request.remote_addr in LOOPBACK else None


def _check_host(hosts: list[str]) -> None:
    host = request.headers.get("Host", "")
    if not host_is_trusted(host, hosts):
        raise BadRequest(f"unknown Host {host!r:.100}: add it to HOSTS")


def _authenticate(identify: Identify) -> str:
    who = identify(request)
    if not who:
        raise Forbidden('not authenticated: no identity was passed (runbook, "console")')
    return who


def _check_write() -> None:
    if request.method not in SAFE_METHODS and not is_our_own(request):
        raise Forbidden(
            f"a write must come from the console's own pages, or have the header {WRITE_HEADER}: 1"
        )

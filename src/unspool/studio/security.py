"""Accept requests only from the studio's own page on this machine."""

import re
import secrets
from collections.abc import Callable
from hmac import compare_digest

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "x-unspool-token"
LOCAL = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
ASK = "open the address that `unspool studio` printed last: each works in one browser"
MOST_BYTES = 64 * 2**20  # size of a request's body
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Codes:
    """Codes that each work in one browser, which gets the token of this start in exchange.

    So addresses in a browser's history or in the list of processes let nobody in. There is no
    cookie, because a cookie of 127.0.0.1 goes to every port: to other servers of this machine too.
    """

    def __init__(self) -> None:
        self._then: dict[str, Callable[[], object]] = {}

    def new(self, then: Callable[[], object] = lambda: None) -> str:
        """Make a code; `then` is called once it has been used."""
        code = secrets.token_urlsafe(24)
        self._then[code] = then
        return code

    def spend(self, code: str) -> bool:
        """Say whether this is a code that has not been used before."""
        then = self._then.pop(code, None)
        if then is not None:
            then()
        return then is not None


class Guard:
    """Refuses requests that do not come from the studio's own page.

    - The host that a browser asked for must be this machine: a foreign name that points here
      (DNS rebinding) is refused.
    - The page that a request comes from, if the browser names it, must be the studio's.
    - Calls of /api need the token of this start, which a page gets for a code (see `Codes`).
    - A body must announce its size, at most `MOST_BYTES`: larger ones are refused before they are
      read.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wrong = self._wrong(scope)
        app = self.app if wrong is None else JSONResponse({"detail": wrong[1]}, wrong[0])
        await app(scope, receive, _with_headers(send))

    def _wrong(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not LOCAL.fullmatch(host):
            return 403, f"the studio answers on 127.0.0.1 only, not as {host!r}"
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return 403, f"another page, {origin!r}, may not call the studio"
        given = headers.get(TOKEN_HEADER, "").encode()
        if scope["path"].startswith("/api") and not compare_digest(given, self.token.encode()):
            return 401, ASK
        return _too_large(headers)


def _too_large(headers: Headers) -> tuple[int, str] | None:
    if "transfer-encoding" in headers:
        return 411, "a request must announce its length"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 15 or int(length) > MOST_BYTES:
        return 413, (
            f"the studio accepts at most {MOST_BYTES >> 20} MB: for a larger text run "
            "`unspool train text FILE --run DIR`, and the studio will show it"
        )
    return None


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sent

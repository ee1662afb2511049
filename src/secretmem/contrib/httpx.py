"""
httpx with a bearer token that is a Secret.

The library sends the token as text, so it is exported for each request, and
counted.  The header is taken off the request when the response is there; what
the library, the TLS layer and the kernel copied on the way is in ordinary
memory until that is used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.contrib._common import authorization, missing


try:
    import httpx
except ImportError as error:
    raise missing("httpx", "httpx>=0.27") from error

if TYPE_CHECKING:
    from collections.abc import Generator

    from secretmem import Secret
    from secretmem.sources import Watch

__all__ = ("BearerAuth",)


class BearerAuth(httpx.Auth):
    """
    ``Authorization: Bearer ...`` (RFC 6750), for clients and requests.

    Args:
        token: A Secret, or a followed source, whose value of now is used.
        scheme: What stands before the token.
    """

    def __init__(self, token: Secret | Watch, scheme: str = "Bearer") -> None:
        self._token = token
        self._scheme = scheme

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the header on, and take it off when the response is there."""
        header = authorization(self._scheme, self._token)
        request.headers["Authorization"] = header
        del header
        requests = [request]
        try:
            response = yield request
            # A redirect's request has a copy of the header.
            answers = (response, *response.history)
            requests += [answer.request for answer in answers]
        finally:
            for each in requests:
                each.headers.pop("Authorization", None)

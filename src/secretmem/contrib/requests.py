"""
requests with a bearer token that is a Secret.

As `secretmem.contrib.httpx`: the token is exported for each request, and the
header is taken off it when the last response is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem.contrib._common import authorization, missing


try:
    import requests
    import requests.auth
except ImportError as error:
    raise missing("requests", "requests>=2.31") from error

if TYPE_CHECKING:
    from secretmem import Secret
    from secretmem.sources import Watch

__all__ = ("BearerAuth",)


class BearerAuth(requests.auth.AuthBase):
    """
    ``Authorization: Bearer ...`` (RFC 6750), for sessions and requests.

    The library itself drops the header when a redirect leads to another
    host.

    Args:
        token: A Secret, or a followed source, whose value of now is used.
        scheme: What stands before the token.
    """

    def __init__(self, token: Secret | Watch, scheme: str = "Bearer") -> None:
        self._token = token
        self._scheme = scheme

    def __call__(
        self, r: requests.PreparedRequest
    ) -> requests.PreparedRequest:
        """Put the header on."""
        header = authorization(self._scheme, self._token)
        r.headers["Authorization"] = header
        r.register_hook("response", _forget)
        return r


def _forget(response: requests.Response, **_options: Any) -> None:  # noqa: ANN401 - the library's
    """Take the header off; a redirect's next request is made from it."""
    if not response.is_redirect:
        response.request.headers.pop("Authorization", None)

"""
requests with a bearer token that is a Secret.

As `secretmem.contrib.httpx`: the token is exported for each request.  Here
the headers of the request have it only while they are read, as for sending;
their ``repr`` has not.  A request that was answered has lost it.  One that
failed, in the exception, and one that was redirected, in ``history``, export
it anew for whoever reads their headers (``dict``, ``items()``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem.contrib._common import authorization, held, missing


try:
    import requests
    import requests.auth
    from requests.structures import CaseInsensitiveDict
except ImportError as error:
    raise missing("requests", "requests>=2.31") from error

if TYPE_CHECKING:
    from secretmem import Secret
    from secretmem.sources import Watch

    _Headers = CaseInsensitiveDict[Any]
else:
    _Headers = CaseInsensitiveDict

__all__ = ("BearerAuth",)

_NAME = "Authorization"


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
        """
        Put the header on.

        Raises:
            TypeError, ValueError: It is no Secret, or an empty one.
        """
        with held(self._token):
            r.headers = _Bearing(r.headers, self)
        r.register_hook("response", _forget)
        return r

    def _header(self) -> str:
        return authorization(self._scheme, self._token)


class _Unread:
    """Stands where the header will be."""

    def __init__(self, auth: BearerAuth) -> None:
        self.auth = auth

    def __repr__(self) -> str:
        return "<a Secret>"


class _Bearing(_Headers):
    """Headers of a request, which export the token when they are read."""

    def __init__(self, headers: Any, auth: BearerAuth | None = None) -> None:  # noqa: ANN401 - as the base
        super().__init__(headers)
        if auth is not None:
            self[_NAME] = _Unread(auth)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - as the base
        value = super().__getitem__(key)
        return value.auth._header() if isinstance(value, _Unread) else value  # noqa: SLF001 - of this module

    def __contains__(self, key: object) -> bool:
        # The base would read it.
        return isinstance(key, str) and key.lower() in self._store

    def copy(self) -> _Bearing:
        """As the library does for a redirect."""
        return _Bearing(self._store.values())

    def __repr__(self) -> str:
        return repr(dict(self._store.values()))


def _forget(response: requests.Response, **_options: Any) -> None:  # noqa: ANN401 - the library's
    """Take the header off; a redirect's next request is made from it."""
    if not response.is_redirect and _NAME in response.request.headers:
        del response.request.headers[_NAME]

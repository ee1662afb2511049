"""botocore's requests under a Secret, beside those of its own signers."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from botocore import auth, credentials
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.session import Session

from secretmem import Secret, posture
from secretmem.contrib import botocore as ours


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_secretmem

KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC)
NAMES = ("SigV4Auth", "S3SigV4Auth", "SigV4QueryAuth", "S3SigV4QueryAuth")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time for all, and botocore as it was afterwards."""
    monkeypatch.setattr(auth, "get_current_datetime", lambda: NOW)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    before = dict(auth.AUTH_TYPE_MAPS)
    yield
    auth.AUTH_TYPE_MAPS.clear()
    auth.AUTH_TYPE_MAPS.update(before)


def _mine(token: str | None = None) -> ours.Credentials:
    secret = Secret.from_bytes(KEY.encode(), name="aws")
    return ours.Credentials("AKIDEXAMPLE", secret, token)


def _theirs(token: str | None = None) -> credentials.Credentials:
    return credentials.Credentials("AKIDEXAMPLE", KEY, token)


def _request(
    signer: auth.BaseSigner, data: bytes | dict[str, str] = b""
) -> AWSRequest:
    request = AWSRequest(
        "PUT",
        "https://example.amazonaws.com/a%20b?x=1&y=",
        {"Content-Type": "text/plain", "X-Amz-Meta-A": "b"},
        data,
    )
    signer.add_auth(request)
    return request


@pytest.mark.parametrize("token", [None, "session token"])
@pytest.mark.parametrize("name", NAMES)
def test_requests_are_signed_as_by_botocore(
    name: str, token: str | None
) -> None:
    """Headers and URL, with and without a session; nothing exported."""
    place = ("iam", "us-east-1")
    data = b"" if "Query" in name else b"body"
    right = _request(getattr(auth, name)(_theirs(token), *place), data)
    before = posture().exports
    mine = _request(getattr(ours, name)(_mine(token), *place), data)
    assert mine.url == right.url
    assert dict(mine.headers) == dict(right.headers)
    assert "Signature=" in mine.url + mine.headers.get("Authorization", "")
    assert posture().exports == before


def test_ordinary_credentials_go_on_working() -> None:
    """The signers are registered for all sessions."""
    place = ("iam", "us-east-1")
    right = _request(auth.SigV4Auth(_theirs(), *place))
    mine = _request(ours.SigV4Auth(_theirs(), *place))
    assert dict(mine.headers) == dict(right.headers)


def test_post_policies_are_signed_as_by_botocore() -> None:
    """S3's forms for browsers."""
    fields = []
    for signer in (
        auth.S3SigV4PostAuth(_theirs(), "s3", "us-east-1"),
        ours.S3SigV4PostAuth(_mine(), "s3", "us-east-1"),
    ):
        request = AWSRequest("POST", "https://example.amazonaws.com/")
        signer.add_auth(request)
        fields.append(request.context["s3-presign-post-fields"])
    assert fields[0] == fields[1]
    assert fields[0]["x-amz-signature"]


@pytest.mark.parametrize(
    "name", ["SigV4Auth", "HmacV1Auth", "SigV2Auth", "SigV3Auth"]
)
def test_other_signers_refuse_the_key(name: str) -> None:
    """None takes the text of the object for the key."""
    kind = getattr(auth, name)
    place = ("iam", "us-east-1") if name == "SigV4Auth" else ()
    with pytest.raises(TypeError, match="does not know keys"):
        _request(kind(_mine(), *place), {})


def _session(found: ours.Credentials | None) -> Session:
    session = Session()
    if found is None:
        session.set_credentials("AKIDEXAMPLE", KEY)
    else:
        ours.install(session, found)
    return session


class _Answer:
    """What a server sends back."""

    content = (
        b"<GetCallerIdentityResponse><GetCallerIdentityResult>"
        b"<Account>1</Account></GetCallerIdentityResult>"
        b"</GetCallerIdentityResponse>"
    )

    def stream(self) -> Iterator[bytes]:
        """Give all at once."""
        yield self.content


def _identity(session: Session) -> tuple[str, str]:
    """Call GetCallerIdentity, answered before it is sent."""
    client = session.create_client("sts", "us-east-1")
    sent = []

    def answer(request: AWSRequest, **_rest: object) -> AWSResponse:
        sent.append(request.headers["Authorization"].decode())
        return AWSResponse(request.url, 200, {}, _Answer())

    client.meta.events.register("before-send.sts.*", answer)
    return client.get_caller_identity()["Account"], sent[0]


def test_a_client_signs_its_calls() -> None:
    """A whole call of a client of the session, as with ordinary keys."""
    found = [_identity(_session(found)) for found in (None, _mine())]
    assert found[0] == found[1]
    assert found[0][0] == "1"
    assert "Signature=" in found[0][1]


def test_a_client_makes_presigned_urls() -> None:
    """Of S3, the URL and the form."""
    made = []
    for found in (None, _mine()):
        client = _session(found).create_client(
            "s3", "us-east-1", config=Config(signature_version="s3v4")
        )
        where = {"Bucket": "bucket", "Key": "key"}
        url = client.generate_presigned_url("get_object", where)
        form = client.generate_presigned_post("bucket", "key")
        form["fields"].pop("policy")  # has a time of its own
        form["fields"].pop("x-amz-signature")
        made.append((url, form))
    assert made[0] == made[1]
    assert "X-Amz-Signature=" in made[0][0]


def test_credentials_show_nothing() -> None:
    """The frozen ones that botocore hands about."""
    frozen = _mine().get_frozen_credentials()
    assert KEY not in repr(frozen)
    assert "<Secret 'aws' memfd_secret>" in repr(frozen)
    with pytest.raises(TypeError, match="does not know keys"):
        str(frozen.secret_key)
    with pytest.raises(TypeError, match="is a Secret, not str"):
        ours.Credentials("AKIDEXAMPLE", KEY)  # type: ignore[arg-type]  # the mistake

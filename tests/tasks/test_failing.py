"""
A call that fails, whose exception is kept: what it holds of the token.

Reporters of errors keep exceptions with their requests and the variables of
all frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tasks.count import look_at
from tasks.stages import STAGES, Stage


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

USUAL = """
import os, requests
token = open("token").read()
headers = {"Authorization": f"Bearer {token}"}
session = requests.Session()
session.headers.update(headers)
"""

ADAPTED = """
import os, requests
from secretmem import Secret, posture
from secretmem.contrib.requests import BearerAuth
token = Secret.from_file("token")
session = requests.Session()
session.auth = BearerAuth(token)
"""

# Nobody listens at port 1, and the certificate is for another name.
FAILING = """
service = os.environ["SERVICE"]
kept = []
for url in ("https://localhost:1/", service.replace("localhost", "127.0.0.1")):
    try:
        session.get(url, timeout=60)
    except requests.ConnectionError as error:
        kept.append(error)
        print(error.request.headers)
assert len(kept) == 2
"""


def test_requests_keeps_no_token_in_an_exception(tmp_path: Path) -> None:
    """It is not exported before there is a connection to send it."""
    stage = Stage(tmp_path)
    program = tmp_path / "program.py"
    with STAGES["bearer_token"](stage):
        program.write_text(USUAL + FAILING)
        usual = look_at(stage, program)
        program.write_text(
            ADAPTED + FAILING + "assert not posture().exports\n"
        )
        adapted = look_at(stage, program)
    assert usual.copies
    assert usual.reported
    assert not adapted.copies
    assert not adapted.reported
    assert adapted.said.count("<a Secret>") == 2

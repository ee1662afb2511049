"""On the fake: redactors and fields of pydantic work, for users' tests."""

from __future__ import annotations

from support import alone


def test_a_redactor_on_the_fake() -> None:
    """It finds what the real one finds; audits say why they do not work."""

    def on_the_fake() -> None:
        import base64

        import secretmem

        secretmem.configure(backend="fake")
        from secretmem import Secret, UnavailableError
        from secretmem.audit import Planted, Search
        from secretmem.redact import Redactor

        raw = bytes(range(0xC0, 0xD8))
        text = Secret.from_bytes(b"correct horse battery", name="phrase")
        with Redactor(text, Secret.from_bytes(raw, name="raw")) as redactor:
            for words in ("correct horse battery", "correct horse"):
                shown = redactor.text(f"a {words}! b")
                assert shown == "a [secret 'phrase']! b"
            for digits in (raw.hex(), raw.hex().upper()):
                assert redactor.text(f"x {digits}") == "x [secret 'raw']"
            for before in range(3):
                data = b"x" * before + raw
                for encode in (base64.b64encode, base64.urlsafe_b64encode):
                    shown = redactor.text(encode(data).decode())
                    assert "[secret 'raw']" in shown
                    assert len(shown) <= len("[secret 'raw']") + 4 + before
            assert redactor.text(f"a\n{raw!r}\nb").startswith("a\n[a line")
            assert redactor.holds([{"a": raw[4:12]}])
            assert not redactor.holds(["correct", "00000000000"])
        refused = []
        for action in (
            lambda: Search([Planted("key", "aes", Secret.random(16))]),
            lambda: Search([Planted("key", "raw", text)]).registers(1),
        ):
            try:
                action()
            except UnavailableError as error:
                refused.append(error.reason)
        assert refused == ["fake"] * 2

    alone.passes(on_the_fake)


def test_a_model_of_pydantic_on_the_fake() -> None:
    """Its fields take and hide what they do otherwise."""

    def on_the_fake() -> None:
        from typing import Annotated

        import pydantic

        import secretmem

        secretmem.configure(backend="fake")
        from secretmem import Secret
        from secretmem.contrib.pydantic import FromText, SecretStr

        model = pydantic.create_model("Model", a=Secret, b=SecretStr)
        made = model(a=Secret.random(8, name="a"), b=SecretStr("hunter2"))
        shown = f"{made!r} {made.model_dump_json()}"
        assert "<Secret 'a' fake>" in shown
        assert "hunter2" not in shown
        other = pydantic.create_model(
            "Other", a=Annotated[Secret, FromText(warn=False)]
        )
        assert other.model_validate({"a": "hunter2"}).a.matches("hunter2")  # type: ignore[attr-defined]  # made here

    alone.passes(on_the_fake)

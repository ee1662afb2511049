"""Rows, the table they make, and the exit status they lead to."""

from __future__ import annotations

import ast
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import __main__ as command
from lab import kernels, plan, table
from lab.apt import LabError
from lab.checks import history, image
from lab.guest import Outcome
from lab.rows import NOTHING, Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator


def _row(observed: str = "zeros", *, control: bool = True) -> Row:
    return Row(
        row="S5",
        what="kcore | page",
        kernel="6.12.0-amd64",
        expected="zeros",
        observed=observed,
        control="ordinary: marker",
        control_ok=control,
        evidence="read gave 4096 bytes",
    )


@pytest.mark.parametrize(
    "row, verdict",
    [
        (_row(), "as expected"),
        (_row("marker"), "DIFFERS"),
        (_row(control=False), "CONTROL FAILED"),
        (_row("no answer", control=False), "CONTROL FAILED"),
        (_row("nothing to see", control=False), "NOTHING TO SEE"),
    ],
)
def test_verdict(row: Row, verdict: str) -> None:
    """A row without a working control is never as expected."""
    assert verdict == row.verdict


def test_answers_by_section() -> None:
    """What the guest did not say is no answer, not an empty one."""
    answers = Answers("a=1\n[kcore]\na=2\r\nb=x=y\nnoise\n")

    assert [
        answers.get("", "a"),
        answers.get("kcore", "a"),
        answers.get("kcore", "b"),
        answers.get("", "b"),
    ] == ["1", "2", "x=y", "no answer"]
    assert (answers.number("kcore", "a"), answers.number("", "c")) == (2, -1)
    assert answers.all("kcore") == "a=2, b=x=y"


def test_page_keeps_its_prose(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The table is replaced, what stands around it stays."""
    monkeypatch.setattr(table, "emulator", lambda: "emulator 1")
    page = tmp_path / "lab.md"
    page.write_text(f"before\n{table.BEGIN}old{table.END}\nafter\n", "utf-8")
    blind = _row(NOTHING, control=False)
    for rows in ([_row()], [_row("marker"), blind]):
        table.record(rows, ["x on 5.10: gone"], page)
    text = page.read_text("utf-8")

    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("kcore \\| page") == 2
    assert "**marker**" in text
    assert "**nothing to see**" in text
    assert "Of 2 rows 1 differ from what is expected, in 1 there" in text
    assert "Not run: x on 5.10: gone." in text


def test_page_without_a_place_is_refused(tmp_path: Path) -> None:
    """Nothing is written over a page that does not ask for it."""
    page = tmp_path / "lab.md"
    page.write_text("prose\n", "utf-8")
    with pytest.raises(ValueError, match="no place"):
        table.record([_row()], [], page)

    assert page.read_text("utf-8") == "prose\n"


def _named_rows() -> set[str]:
    """Return the rows that the checks give, read from their source."""
    found = {row for row, _, _ in history.PARTS}
    for file in Path(history.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.keyword)
                and node.arg == "row"
                and isinstance(node.value, ast.Constant)
            ):
                found.add(str(node.value.value))
    return found


def test_every_row_has_a_title() -> None:
    """A row that the documentation cannot place would be lost."""
    assert _named_rows() == set(table.TITLES)


@pytest.fixture
def one_step(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> list[Row]:
    """Let the plan be one check that gives the rows of the list."""
    rows: list[Row] = []

    def check(_: kernels.Kernel) -> Iterator[Row]:
        yield from rows

    def get(name: str) -> kernels.Kernel:
        if name.startswith("5.10") or name == "newest":
            raise LabError("the archive offers it no more")
        return kernels.Kernel(name, tmp_path, tmp_path, None)

    step = plan.Step("kcore", check, ("6.12-cloud", "7.3-cloud"))
    monkeypatch.setattr(plan, "FULL", (step,))
    monkeypatch.setattr(kernels, "get", get)
    monkeypatch.setattr(table, "emulator", lambda: "emulator 1")
    return rows


def test_exit_status_tells_a_differing_row(
    one_step: list[Row],
    tmp_path: Path,
) -> None:
    """One wrong row makes the run fail, and stands in the JSON."""
    one_step.append(_row())
    assert command.main([]) == 0  # both kinds of accounting were seen
    one_step.append(_row("marker"))
    file = tmp_path / "out" / "lab.json"

    assert command.main(["--json", str(file)]) == 1
    told = json.loads(file.read_text("utf-8"))
    assert [row["verdict"] for row in told["rows"]] == [
        *("as expected", "DIFFERS"),
        *("as expected", "DIFFERS"),
    ]


@pytest.mark.parametrize(
    "kernel, status",
    [("5.10-cloud", 69), ("newest", 0)],
)
def test_missing_kernel_is_named(
    one_step: list[Row],
    capsys: pytest.CaptureFixture[str],
    kernel: str,
    status: int,
) -> None:
    """Without a kernel that the table needs, the run is not complete."""
    one_step.append(_row())
    found = command.main(["--kernel", "6.12", "--kernel", kernel])

    assert status == found
    text = f"kcore on {kernel}: the archive offers it no more"
    assert text in capsys.readouterr().err


def test_one_kind_of_accounting_is_not_the_whole_table(
    one_step: list[Row],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """When the archive has dropped the old kernels, the run says so."""
    one_step.append(_row())
    newest = plan.Step("kcore", plan.FULL[0].check, ("7.3-cloud",))
    monkeypatch.setattr(plan, "FULL", (newest,))

    assert command.main([]) == 69
    text = "no kernel on offer charges locked memory per process"
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    "inside, verdicts",
    [
        ((0,), ["NOTHING TO SEE", "NOTHING TO SEE"]),
        ((0, 20), ["CONTROL FAILED", "NOTHING TO SEE"]),
        ((0, 900, 900), ["as expected", "DIFFERS"]),
    ],
)
def test_image_looks_again_when_no_page_landed(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    inside: tuple[int, ...],
    verdicts: list[str],
) -> None:
    """Frames that no page lies on show neither a rule nor its breach."""
    landed = itertools.chain(inside, itertools.repeat(0))

    def boot(*_: object, **__: object) -> Outcome:
        number = next(landed)
        text = f"[full]\ninside={number}\nimage={number}\ndirect=0\n"
        return Outcome(text, 0, "", 1.0)

    monkeypatch.setattr(image, "boot", boot)
    kernel = kernels.Kernel("6.12-cloud", tmp_path, tmp_path, None)
    rows = list(image.check(kernel))

    assert [row.verdict for row in rows] == verdicts


def test_nothing_run_is_not_success(one_step: list[Row]) -> None:
    """An empty table proves nothing."""
    assert one_step == []
    assert command.main([]) == 69

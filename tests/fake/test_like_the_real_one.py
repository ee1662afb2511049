"""
The fake behaves as the compiled part: the real one's tests, on the fake.

A pytest of its own runs the tests of `Secret` and `SecretArea` with the
plugin and the fake. What a fake cannot do is listed here with its reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import budget


ROOT = Path(__file__).resolve().parents[2]

# In one run of their own each, so that none comes near the time limit.
QUICK = (("compare", "parts", "decoding", "hazmat"), ("reveal", "closing"))
SLOW = (
    ("refusals", "environment", "posture"),
    ("constructors",),
    ("writing", "descriptors"),
    ("area",),
)

# Test: why the fake need not pass it.
DIFFERENT = {
    "test_a_name_is_any_text": "repr names the backend, here the fake",
    "test_without_a_name_there_is_none": "as above",
    "test_repr_does_not_raise_whatever_the_name_is": "as above",
    "test_it_is_a_dictionary_for_json": "as above",
    "test_strict_format": "as above, and the plugin has set it",
    "test_what_is_public_stays": "the plugin makes str() raise",
    "test_texts_are_redacted": "as above",
    "test_logs_are_redacted": "as above",
    "test_it_is_made_by_its_constructors_only": (
        "object.__new__ makes any class that is written in Python"
    ),
    "test_isolated_secrets_have_pages_and_guards": "reads /proc/self/maps",
    "test_an_area_is_between_guards": "as above",
    "test_the_pages_are_given_back": "as above",
    "test_trim_gives_idle_memory_back": "the fake keeps what is in use whole",
    "test_a_view_is_a_buffer_only_while_it_is_open": (
        "Python 3.11 lets no class written in Python export a buffer"
    ),
    "test_a_private_area_is_not_in_children": "as above",
    "test_closing_while_a_buffer_is_in_use": "as above: ValueError",
    "test_the_flag_is_o_cloexec": "the descriptor is an ordinary file's",
    "test_ftruncate_once_only": "as above",
    "test_it_is_mapped_shared_and_never_executable": "as above",
    "test_it_is_neither_read_nor_written": "as above",
    "test_ordinary_calls_reach_it_and_pinning_ones": "nothing is refused",
    "test_a_wait_ends": "a copy is written, which closing does not end",
    "test_an_area_of_nothing": "an ordinary mapping has at least one byte",
}


@pytest.mark.needs_secretmem
@pytest.mark.parametrize(
    "names", (*QUICK, *SLOW) if budget.ASKED else QUICK, ids=" ".join
)
def test_the_real_ones_tests_pass_on_the_fake(names: tuple[str, ...]) -> None:
    """All but those that are listed, and each of those does differ."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "secretmem", "--secretmem-fake"),
            *("-k", " and ".join(f"not {name}" for name in DIFFERENT)),
            *(f"tests/unit/test_{name}.py" for name in names),
        ],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if "COV" not in k},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]

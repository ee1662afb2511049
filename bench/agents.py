"""
``python -m bench.agents``: our SSH agent beside OpenSSH's.

Both run at the same time, hold the same keys and are asked by the same
client, in turn, so that what slows the machine for a while slows both.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench import agent_load


if TYPE_CHECKING:
    from bench.agent_load import Agent, Round

MILLISECOND = 1_000_000
MICROSECOND = 1000
UNAVAILABLE = 69
# Further keys for the size of one, and keys before them.
KEYS, SHARED = 2000, 100


class Case(NamedTuple):
    """A kind of key with so many clients, and what is wanted of it."""

    kind: str
    clients: int
    faster: float
    p99: float | None = None


CASES = (
    Case("ed25519", 1, 10, 1 / 5),
    Case("ed25519", 8, 15, 1 / 5),
    Case("ecdsa", 1, 5),
    Case("ecdsa", 8, 5),
    Case("rsa", 1, 1),
    Case("rsa", 8, 1),
)
TITLES = {"ed25519": "Ed25519", "ecdsa": "ECDSA P-256", "rsa": "RSA-3072"}
_WORDS = {
    "ed25519": ("-t", "ed25519"),
    "ecdsa": ("-t", "ecdsa", "-b", "256"),
    "rsa": ("-t", "rsa", "-b", "3072"),
}
LOCKED_EACH = 1024


def main() -> int:
    """Measure both, print a table, and write the JSON file if wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.agents")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    missing = [n for n in ("ssh-agent", "ssh-add") if not shutil.which(n)]
    if missing:
        print(f"not installed: {', '.join(missing)}")
        return UNAVAILABLE
    rounds, window = (3, 100) if arguments.quick else (9, 400)
    with tempfile.TemporaryDirectory() as folder:
        found = _measure(Path(folder), rounds, window * MILLISECOND)
    if arguments.json:
        text = json.dumps(found, indent=1)
        arguments.json.write_text(text + "\n", "utf-8")
    return 0


def _key(folder: Path, kind: str, name: str) -> Path:
    path = folder / name
    words = ("ssh-keygen", "-q", "-N", "", *_WORDS[kind], "-f")
    subprocess.run([*words, path], check=True)
    return path


def _measure(folder: Path, rounds: int, window: int) -> dict[str, object]:
    keys = {kind: _key(folder, kind, kind) for kind in TITLES}
    print("SIGNATURES of an SSH agent, 32 bytes: secretmem beside OpenSSH")
    print(f"best of {rounds} rounds in turn; CPU is the agent's own, median")
    print()
    print(f"{'':22}{'per second':>22}{'p99 us':>17}{'CPU us':>15}")
    names = "".join(f"{name:>11}" for name in ("ours", "theirs"))
    print(f"{'':22}{names}{'ours':>8}{'theirs':>9}{'ours':>7}{'theirs':>8}")
    with agent_load.running(folder) as agents:
        for agent in agents:
            for key in keys.values():
                agent.add(key)
        times = [
            _case(case, agents, keys[case.kind], (rounds, window))
            for case in CASES
        ]
        sizes = [_size(agent) for agent in agents]
    _print_sizes(sizes)
    targets = [target for each in times for target in _judge(*each)]
    targets.append(_locked(sizes[0][0]))
    _print_targets(targets)
    return {
        "times": [
            {**case._asdict(), "ours": ours, "theirs": theirs}
            for case, ours, theirs in times
        ],
        "bytes_each": dict(zip(("ours", "theirs"), sizes, strict=True)),
        "targets": targets,
    }


def _case(
    case: Case, agents: list[Agent], key: Path, effort: tuple[int, int]
) -> tuple[Case, list[Round], list[Round]]:
    data = agent_load.request(key.with_suffix(".pub"))
    rounds, window = effort
    found: list[list[Round]] = [[], []]
    for _ in range(rounds):
        for mine, agent in zip(found, agents, strict=True):
            mine.append(agent_load.measure(agent, data, case.clients, window))
    ours, theirs = found
    clients = f"{case.clients} client{'s' if case.clients > 1 else ''}"
    title = f"{TITLES[case.kind]}, {clients}"
    rates = "".join(f"{_rate(each):>11,.0f}" for each in found)
    tails = [_p99(each) / MICROSECOND for each in found]
    cpus = [median(r.cpu for r in each) / MICROSECOND for each in found]
    print(
        f"{title:22}{rates}{tails[0]:>8,.0f}{tails[1]:>9,.0f}"
        f"{cpus[0]:>7,.0f}{cpus[1]:>8,.0f}",
        flush=True,
    )
    return case, ours, theirs


def _rate(rounds: list[Round]) -> float:
    return max(each.rate for each in rounds)


def _p99(rounds: list[Round]) -> float:
    return min(each.p99 for each in rounds)


def _size(agent: Agent) -> tuple[float, float]:
    """Return the locked and resident bytes of a further Ed25519 key."""
    # The first few may need what the others share.
    agent_load.add_keys(agent, SHARED)
    before = agent.locked(), agent.resident()
    agent_load.add_keys(agent, KEYS)
    return (
        (agent.locked() - before[0]) / KEYS,
        (agent.resident() - before[1]) / KEYS,
    )


def _print_sizes(sizes: list[tuple[float, float]]) -> None:
    print()
    print(
        f"{'BYTES of a further Ed25519 key':38}{'locked':>12}{'resident':>12}"
    )
    for name, size in zip(("secretmem", "OpenSSH"), sizes, strict=True):
        print(f"  {name:36}{size[0]:>12,.0f}{size[1]:>12,.0f}")


def _judge(
    case: Case, ours: list[Round], theirs: list[Round]
) -> list[tuple[str, str, str, bool]]:
    name = f"{TITLES[case.kind]}, {case.clients} at a time"
    ratio = _rate(ours) / _rate(theirs)
    wanted = f">= {case.faster:g} x OpenSSH"
    targets = [(name, wanted, f"{ratio:.1f} x", ratio >= case.faster)]
    if case.p99 is not None:
        part = _p99(ours) / _p99(theirs)
        wanted = f"< 1/{1 / case.p99:.0f} of OpenSSH"
        measured = f"1/{1 / part:.0f}"
        targets.append((f"{name}, p99", wanted, measured, part < case.p99))
    return targets


def _locked(each: float) -> tuple[str, str, str, bool]:
    name = "locked bytes of a further key"
    return name, f"< {LOCKED_EACH}", f"{each:.0f}", each < LOCKED_EACH


def _print_targets(targets: list[tuple[str, str, str, bool]]) -> None:
    print()
    print(f"{'TO REACH':38}{'wanted':>19}{'measured':>10}")
    for name, wanted, measured, reached in targets:
        verdict = "reached" if reached else "MISSED"
        print(f"  {name:36}{wanted:>19}{measured:>10}  {verdict}")


if __name__ == "__main__":
    raise SystemExit(main())

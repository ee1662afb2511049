"""
The program behind ``secretmem run``: start a command with its secrets.

- `plan` is what the arguments ask for,
- `prepare` reads the secrets and opens the descriptors,
- `supervise` stays as the parent, where restart or reload is asked.
"""

from __future__ import annotations

from secretmem.launch.plan import Exposure, Plan, PlanError
from secretmem.launch.prepare import Prepared, execute


__all__ = ("Exposure", "Plan", "PlanError", "Prepared", "execute")

"""Errors of a client of SSH agents."""

from __future__ import annotations

from secretmem.exceptions import SecretmemError


class AgentError(SecretmemError):
    """The agent cannot be asked, or does not do it."""


class AgentProtocolError(AgentError):
    """The agent's reply is none of the protocol."""


class AgentRefusedError(AgentError):
    """The agent says no; it does not say why."""

"""Handrail: ownership and handoffs between AI coding agents, enforced in a git repository.

An agent may change only what it holds, may finish only when its handoff is true, may start only
from a handoff addressed to it, and code that broke a rule cannot land.

This module imports nothing, so that a hook may import any part of the package at no extra cost.
"""

__version__ = "0.1.0"

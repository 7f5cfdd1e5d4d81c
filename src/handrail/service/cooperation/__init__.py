"""Cooperations: opened, handed from role to role, shown, and bundled at their end.

What the slash commands of the preset ``cooperation`` do; how they say it is ``edge.compat``'s.
"""

"""The rules, pure: no clock, no I/O, no randomness; standard library values only."""

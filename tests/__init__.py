"""The tests of Handrail; what they share is in ``tests.support`` and ``tests.conftest``."""

"""``python -m handrail`` is ``handrail``."""

from handrail.edge.cli.main import entry

if __name__ == "__main__":
    entry()

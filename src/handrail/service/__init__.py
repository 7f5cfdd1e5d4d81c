"""One method per use case, one transaction per method."""

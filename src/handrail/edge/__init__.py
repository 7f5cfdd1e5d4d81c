"""Everything that parses, calls the service and renders."""

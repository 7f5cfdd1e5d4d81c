"""What runs behind each command: call one use case, shape the answer."""

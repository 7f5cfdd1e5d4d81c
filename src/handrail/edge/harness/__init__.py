"""What coding harnesses say to their hooks, and how each wants to be answered."""

"""Where the state lives: the port that says what a store promises, and the stores that do."""

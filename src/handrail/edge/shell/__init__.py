"""What a shell line writes: a quick scan of its words, and a grammar where that is not enough."""

"""The guard: what hooks of harnesses and of git start, and how they are answered.

``__main__`` is what the launch line starts; ``quick`` answers what needs no decision with next to
no imports; ``harness`` and ``commits`` do the rest with all of Handrail at hand.
"""

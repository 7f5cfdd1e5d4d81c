"""CODEOWNERS: the files in which forges keep who owns which paths, from and to lanes.

There the last line that means a path decides alone, and a line without owners takes its paths away
from everybody; a lane is a set of patterns, and a path may lie in several. So neither translates
into the other in every case. What does not is named with its line, never guessed.

``read`` reads a file, ``lanes`` makes lanes of it, ``write`` makes a file of lanes.
"""

"""The launch line starts this file: ``python -I -S __main__.py SITE hook [git NAME ARGS…]``.

It is compiled anew each time it runs, so all it does is to say where things are imported from.
"""

import sys

sys.path[:0] = [__file__.rpartition("/handrail/edge/guard/")[0], sys.argv[1]]

from handrail.edge.guard.entry import main  # noqa: E402 - it is found only now

main(sys.argv[2:])

"""Gates: facts in, findings out. Each is one line in ``gates.registry``, the only list.

Promises: a gate reads nothing but the facts it is given, so it can be tried on any; its verdict is
pass, fail or cannot-tell, and one that raises is cannot-tell. A gate without a subject passes.
"""

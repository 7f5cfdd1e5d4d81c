"""``handrail demo``: agents race, crash and oversleep in a scratch repository; the promises hold.

Promises: everything in it is real (git, the ``handrail`` program, one process for each command of
each agent); nothing of the caller's environment reaches it; each promise is checked by code, on
what the program answered and on what the ledger says, never by the text that is shown; whatever
happens, no process is left behind, and no file unless that was asked for.

A scene is one line in ``scenes.SCENES``: a name, the promise in one sentence, and a function that
lets agents act on a ``Stage`` and raises ``Broken``.

    outcome = perform(SCENES, Narrator(write))
    outcome.broken    # the names of the scenes whose promise did not hold
"""

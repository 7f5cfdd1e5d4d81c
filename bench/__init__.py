"""The numbers of the design, each beside its floor, measured in the same run.

Absolute times say more about the machine than about Handrail; so every row is a ratio to a *floor*:
the same machine, at the same moment, doing the least that could be done. Measurements alternate
with their floor, and what is compared are medians: a neighbour that takes the processor for a
while slows both down. What is measured is the way a user takes: the installed program, or the
service over a store that ``handrail init`` made, on the file system of this checkout.

    python -m bench                          all rows
    python -m bench --only claim-command     one of them
    python -m bench --profile claim-command  the same, and where its time goes
    python -m bench --quick                  a sketch, in seconds
    python -m bench.publish FILE...          its JSON to docs/speed.json, the pages from that
"""

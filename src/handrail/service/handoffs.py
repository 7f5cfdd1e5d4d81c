"""Handing over: offer, accept, decline, withdraw; each of them one transaction.

Promises: the number is given, the scope moved and the entry appended together or not at all;
repeating a request id gives the first outcome. ``service.offering`` and ``service.answering`` have
the two sides; ``service.judged`` puts the gates around them.

    Handoffs(context, files).accept("fix-login")
"""

from __future__ import annotations

from handrail.service.answering import Accepted, Answers
from handrail.service.asking import Files
from handrail.service.context import Context
from handrail.service.offering import Offered, Offering, Offers

__all__ = ("Accepted", "Files", "Handoffs", "Offered", "Offering")


class Handoffs(Offers, Answers):
    """The use cases of handing over; here nothing but the rules is asked."""

    def __init__(self, context: Context, files: Files) -> None:
        Offers.__init__(self, context, files)
        Answers.__init__(self, context)

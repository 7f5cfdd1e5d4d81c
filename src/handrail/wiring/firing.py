"""Triggers that fire by themselves, put together: the gates, the offer, the documents.

firing_of(application).edit_refused("outside_lane", "docs/a.md lies …", "docs/a.md")
watching_of(application).all()
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from handrail.core.task import file_name
from handrail.service.firing import Firing
from handrail.service.judged import JudgedHandoffs
from handrail.service.policy import shows_state
from handrail.wiring.gates import Gates

if TYPE_CHECKING:
    from handrail.core.task import Packet
    from handrail.service.watching import Watching
    from handrail.wiring import Application


def judged_of(application: Application) -> JudgedHandoffs:
    """Return the use cases of handing over for a hook: nothing is told on the way."""
    gates = Gates(application, application.place.toplevel).around()
    return JudgedHandoffs(application.context, application.packet_files, gates)


def firing_of(application: Application) -> Firing:
    """Return the use cases of what happens by itself."""
    note = partial(application.hook_log.write, "trigger")
    show = partial(_lead_on, application)
    return Firing(application.context, judged_of(application), note, show)


def _lead_on(application: Application, packet: Packet) -> None:
    """Write what leads readers to a packet that a trigger offered."""
    if shows_state(application.context.store):
        from handrail.service.projecting import Projecting

        projecting = Projecting(application.context, application.projection_files)
        projecting.lead_on([file_name(packet.task, packet.number)])


def watching_of(application: Application) -> Watching:
    """Return the use case of looking at documents."""
    from handrail.facts.watched import watched
    from handrail.service.watching import Watching

    search = partial(watched, application.place.toplevel)
    return Watching(application.context, firing_of(application), search)

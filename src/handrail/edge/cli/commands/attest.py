"""``attest``."""

from __future__ import annotations

from handrail.core.ledger import format_head
from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.attestation import Attestation


def attest(invocation: Invocation) -> Reply:
    """Attest the commits of a range."""
    dry_run = invocation.flag("dry_run")
    done = Attestation(invocation.application.context).attest(
        invocation.text("range") or "", dry_run=dry_run
    )
    head = format_head(done.epoch, done.head)
    data: Data = {"attested": list(done.commits), "before": list(done.before), "head": head}
    verb = "would attest" if dry_run else "attested"
    lines = [f"{verb} {count(len(done.commits), 'commit')}"]
    lines += [f"  {commit}" for commit in done.commits]
    if done.before:
        lines.append(f"attested before: {len(done.before)}")
    if not dry_run:
        lines.append(f"head {head}")
    return Reply(data, "\n".join(lines))

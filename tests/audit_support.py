"""Rule files of four roles, a matrix that covers them, and pages of projects that set no rules.

``RULES`` is written after what seed 003 says that its files said before it hardened them: five
places at which one role ends and another one begins, none of them leading anywhere by itself.
``FIVE_TRIGGERS`` stands in one place, so that the preset of that system can take its place.
"""

from __future__ import annotations

from typing import Final

PLACE: Final = ".directive-cli/docs/agent-rules"

ROLES: Final = """
[[role]]
name = "architect"
lane = ["docs/**", ".directive-cli/**"]
coordinates = true

[[role]]
name = "executor"
lane = ["src/**"]

[[role]]
name = "auditor"
lane = []
sandbox = "read-only"

[[role]]
name = "pair"
lane = ["apps/web/**"]
"""
FIVE_TRIGGERS: Final = """
[[trigger]]
id = "architect_ultra_detected"
from = "architect"
to = "executor"
when = { event = "document", glob = "directives/**/*.meta.json", field = "meta.session_priority", \
equals = "ultra", unless = { field = "meta.status", equals = "archived" } }

[[trigger]]
id = "auditor_ultra_open"
from = "auditor"
to = "executor"
when = { event = "document", glob = "directives/**/*.meta.json", field = "meta.session_priority", \
equals = "ultra", unless = { field = "meta.status", equals = "archived" } }

[[trigger]]
id = "executor_scope_or_contract_block"
from = "executor"
to = "architect"
when = { event = "edit_refused", codes = ["outside_lane", "sandbox_read_only", \
"scope_needs_handoff"], times = 3 }

[[trigger]]
id = "pair_out_of_scope"
from = "pair"
to = "architect"
when = { event = "edit_refused", codes = ["outside_lane"] }

[[trigger]]
id = "role_policy_conflict"
from = "any"
to = "architect"
when = { event = "blocked", rule = "role-policy-conflict" }
"""

RULES: Final = {
    "AGENTS.md": """\
# Working in this repository

This file is the charter for every coding agent. Read it before anything else.

## Picking a role

1. Select exactly one role at the start of a thread: architect, executor, auditor or pair.
2. Read the README of that role under `.directive-cli/docs/agent-rules/`.
3. Do not switch roles inside a thread. Work that another role owns is refused here.

## House style

- Keep commits small and write why in the message.
- Tests must pass before you push; ask for a review if a change is large.
- Never print secrets.
""",
    f"{PLACE}/architect/README.md": """\
# Architect

Plans directives, writes their task files and owns these rules. Product code is not yours.

Read `startup-and-initialization.md`, then wait for the operator's first request.
""",
    f"{PLACE}/architect/startup-and-initialization.md": """\
# Startup and initialization

Run these steps in order each time a thread begins.

1. Read the critical rules.
2. List the open directive sessions and read each `*.meta.json`.
3. If any session that is not archived has `meta.session_priority: ultra`, stop all planning at once
   and hand the session off to the Executor. Say which session it is.
4. Otherwise greet the operator and ask which directive to plan.

## Output

Begin with one line that names the role, the branch and the number of open sessions.
""",
    f"{PLACE}/auditor/README.md": """\
# Auditor

Looks for drift between the rules and the work. Writes findings, never product code.
""",
    f"{PLACE}/auditor/purpose-and-ultra-priority.md": """\
# Purpose and ultra priority

The Auditor reads, compares and reports. It may open one session of priority ultra, which goes
before all others.

## When enforcement is due

When an ultra enforcement task has to be executed, prompt the operator to proceed with Executor
mode. Until that happens, leave the session open and keep auditing.
""",
    f"{PLACE}/executor/README.md": """\
# Executor

Carries out one task of a directive at a time, exactly as its contract says.
""",
    f"{PLACE}/executor/startup.md": """\
# Executor startup

- Read the task file and check that the branch is the one that the directive names.
- A task without deterministic step detail cannot be run: stop and report what is missing.
- Run the validation commands and record what they print.
""",
    f"{PLACE}/executor/scope-control.md": """\
# Scope control

Only files in `allowed_files` may change.

Stop and report when:

- a step needs a file outside of the allowlist;
- two instructions of the contract contradict each other;
- a deviation is needed and nobody has decided about it.

Do not repair the contract yourself, and do not guess.
""",
    f"{PLACE}/pair/README.md": """\
# Pair

Cleans up the web application together with the operator.
""",
    f"{PLACE}/pair/boundaries.md": """\
# Boundaries

Pair work is clean-up below `apps/web`: names, dead code, small layout faults.

If a request exceeds the `apps/web` clean-up scope, or needs a decision about the backend, routes or
the data model, stop and ask the operator for direction.
""",
    f"{PLACE}/shared/critical-enforcement.md": """\
# Critical enforcement

1. Role lock: the role that was chosen stays for the whole thread.
2. Required reading comes before the first edit.
3. Secrets are never printed, stored or sent anywhere.
""",
}

# Pages in the manner of three projects that many people know: a queue for background work, a
# system that schedules containers, an editor. They use the words that rules use, and set none.
QUEUE: Final = """\
# Millrace

Millrace is a distributed task queue. You hand it a function; a **worker** on another machine runs
it. It has been used in production for ten years, and its API is stable.

## What do I need?

Millrace runs on Python 3.9 or later and needs a message broker to send and receive messages. You
must install one before you start a worker. If you have never used a task queue, read the tutorial
first, then ask on the mailing list.

## How it works

1. The producer hands a message off to the broker.
2. The broker passes it to a worker. If no worker is free, the message must wait.
3. The worker gives the task to its **executor** and waits for the result. The executor role can be
   played by threads, processes or green threads.
4. If the executor fails, the task is handed over to another worker, unless `acks_late` is off.

| Role | Runs | Hands results to | When |
|---|---|---|---|
| producer | your web process | broker | a request comes in |
| worker | `millrace worker` | executor | a message arrives |
| scheduler | `millrace beat` | broker | a timer fires |

### Stopping a worker

Send `TERM` to stop a worker. It stops accepting work at once, finishes what its executor has begun,
and reports the rest back to the broker. You should never use `KILL` unless you must: the tasks that
run at that moment are lost. If a worker does not stop, ask it for a stack dump with `USR1` and
report a bug.

```console
$ millrace worker --concurrency 8
$ millrace control shutdown
```

## Features

- **Retries.** A task that fails three times must not be retried for ever: set `max_retries`.
- **Routing.** Route heavy tasks to a queue of their own and hand off small ones to a shared one.
- **Roles and permissions.** The monitor has two roles, viewer and admin. A user has exactly one
  role per session and cannot switch roles without logging in again.

## Contributing

Please read the guide before you open a pull request. Every change needs a review by a maintainer.
If a change goes beyond the scope of an issue, stop and ask first: we would rather
talk for ten minutes than reject a week of work. Reviewers should hand off a review when they have
no time for it. You must add a test, or say why there is none.

## Getting help

Ask questions in the forum, not in the tracker. For security reports, write to the address on our
site and wait for an answer before you publish anything.

## Licence

Three-clause BSD. The architect of the first version, and everyone since, is named in `AUTHORS`.
"""
CLUSTER: Final = """\
# Helmsfleet

[![build](badge.svg)](ci) [![docs](docs.svg)](docs)

Helmsfleet schedules containers across many machines and keeps them running. It is built on lessons
from running large systems for fifteen years, and on ideas from the community.

If your company wants to help shape how containers are orchestrated, consider joining the
foundation. It is a vendor-neutral home: nobody needs permission to take part.

## To start using it

See the documentation. To run the code outside of a container, you must have a working Go
environment.

## Concepts

The **control plane** decides; a **node agent** acts. When a node stops reporting, the controller
waits for five minutes and then hands its pods over to other nodes. An *admission reviewer* may
refuse a request: it returns `allowed: false`, and the API server must not store the object. If two
reviewers conflict, the request fails closed.

- A `Pair` is two pods that fail over: the standby takes over if the leader fails its health checks.
- An `Auditor` writes one line for each request; an auditor must never change what it sees.
- A lease is handed off when its holder stops renewing. Never edit a lease by hand; ask the
  controller to release it.

### Access control

A role is a set of rules; a binding gives a role to a user. You must have the `cluster-admin` role
to create one. Do not change the roles that begin with `system:`: they are reset at every start. If
a request is outside of your role, it is denied with status 403; ask an administrator for a binding.
Switch to the auditor role with `--as=auditor` to see what it sees, and switch back when done.

| Role | May read | May write | Escalates to |
|---|---|---|---|
| view | most objects | nothing | edit |
| edit | most objects | most objects | admin |
| admin | all objects of a namespace | all of them | cluster-admin |

## Upgrading

Stop the scheduler before you upgrade the store. Do not proceed until all members report the new
version. If an upgrade fails, stop, keep the logs and ask for help in the channel for users.

## Governance

Special interest groups own parts of the code. A change that crosses the boundaries of a group needs
an approver of each. Approvers must review within a week or hand off to somebody else in the group.
A group that cannot decide escalates to the steering committee.

## Support

If you have questions, reach out to us one way or another. Please do not report security problems in
public: follow the process and wait for the security team.
"""
EDITOR: Final = """\
# Quillpad

Quillpad is an editor for the terminal: modal, fast, with everything it needs built in.

> It stops where other editors begin to ask for plugins.

## Status

Version 0.9. The file format of sessions must not change before 1.0; everything else may.

## Building

```sh
make && sudo make install
```

You need a C compiler. On old systems the build stops with an error in `loop.c`; update your headers
or ask your distribution. Tests must pass: run `make check`. If a test fails on your machine, report
it with the log. Do not edit generated files, change the templates and run `make gen`.

## Roadmap

- [x] Multiple selections
- [x] An architecture for remote front ends: the core hands drawing off to a client
- [ ] An executor for macros that can be paused, resumed and stopped
- [ ] Pair editing: two people in one buffer, one of them in the role of the driver. Roles can be
  switched at any time; hand over with `:give`, ask with `:take`.

## Philosophy

One tool should do one thing. When a feature would exceed that, we stop and think, and usually the
answer is no. The architect of a plugin decides its interface, not the core. Reviews are kind and
short. A reviewer who disagrees says so once, then steps back.

## Contributing

1. Open an issue and wait for a decision before you write a large patch.
2. Sign off your commits. You must own what you send.
3. Ask for a review. If nobody answers within a week, ask again.
4. When the review is done, a maintainer takes over and merges it.

If you are asked to change something outside the files you touched, say so: we may have missed that.
Please do not mix a refactoring with a fix, and never change indentation in passing.

## Accessibility

Every button has a `role`, and a role must never be empty. Change the role of an element only
together with its label, or screen readers stop at it.

## Thanks

To the reviewers, translators and testers, and to the people who ask hard questions.
"""
READMES: Final = {"queue": QUEUE, "cluster": CLUSTER, "editor": EDITOR}
ROLE_SETS: Final = {
    "directive": ("architect", "executor", "auditor", "pair"),
    "cooperation": (
        *("product-planner", "frontend-ux", "test-runner", "deployment-reviewer", "system"),
        *("architect", "implementer", "reviewer", "navigator", "human"),
    ),
    "lanes": ("website", "ops-tooling", "integrator"),
    "everyday": ("worker", "reviewer", "admin", "scheduler", "maintainer", "auditor", "executor"),
}

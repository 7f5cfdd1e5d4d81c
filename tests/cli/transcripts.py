"""What the golden transcripts type, and how what varies is masked.

A line is ``who: command``; ``who!:`` types at a terminal. Whoever is named for the first time sits
down at a shell without a session. ``TOPICS`` is the table; a file of ``tests/cli/golden`` belongs
to each of its rows, and one to the help of each command.
"""

from __future__ import annotations

import re
from typing import Final

from tests.cli.world import Person, World, commands_in

START: Final = 'ada: eval "$(handrail session start --id ada-1 --agent ada)"'
TOLD: Final = "The login works again; its tests are green and nothing is left."
BOB: Final = 'bob: eval "$(handrail session start --id bob-1 --agent bob)"'
LEAD: Final = (
    "ada: printf '\\n[[role]]\\nname = \"lead\"\\nlane = []\\ncoordinates = true\\n'"
    " >>handrail.toml"
)
RULE_FILE: Final = (
    "ada: mkdir -p .claude/roles && printf '# Worker role\\n\\nIf a file is out of scope,"
    "\\nstop and report.\\n' >.claude/roles/worker.md"
)

TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "init": (
        "ada: mkdir ../fresh && cd ../fresh && git init --quiet --initial-branch=main .",
        "ada: handrail status",
        "ada: handrail init --dry-run",
        "ada: handrail init --dry-run --json",
        "ada: handrail init",
        "ada: handrail init",
        "ada: handrail init --json",
        "ada: handrail init --quiet --harness claude",
        "ada: handrail init --harness claude,codex",
        "ada: handrail init --harness clod",
        "ada: rm .git/hooks/pre-commit .handrail/hook && handrail doctor",
        "ada: handrail doctor --repair",
        "ada: handrail init --preset nonsense",
        "ada: handrail init --bare",
    ),
    "session": (
        START,
        "ada: handrail session start --id ada-1 --agent ada",
        "ada: handrail session start --id ada-1 --agent ada --json",
        "ada: handrail session start --id ada-1 --agent eve",
        "ada: handrail session show",
        "ada: handrail whoami --json",
        "ada: handrail session list",
        "ada: handrail session list --json",
        "ada: handrail session role worker",
        "ada: handrail session role reviewer",
        "ada: handrail claim src",
        "ada: handrail session show",
        "ada: handrail session end --json",
        "ada: handrail session show",
        "ada: handrail session show ada-1",
        "ada: handrail session list",
    ),
    "claim": (
        START,
        BOB,
        "ada: handrail claim src/api 'docs/*.md' --dry-run",
        "ada: handrail claim src/api --dry-run --json",
        "ada: handrail claim src/api 'docs/*.md'",
        "ada: handrail claim src/api",
        "ada: handrail claim src/api --json",
        "ada: handrail claim lib --ttl 10m --request-id r-1 --json",
        "ada: handrail claim lib --ttl 10m --request-id r-1 --json",
        "ada: handrail claim other --ttl 10m --request-id r-1",
        "bob: handrail claim 'src/*/users.py'",
        "bob: handrail claim 'src/*/users.py' --json",
        "bob: handrail claim docs/a.md --wait 1ms",
        "bob: handrail claim docs/a.md --wait 1ms --quiet",
        "bob: handrail claim tests --shared",
        "bob: handrail claim tests --role reviewer",
        "bob: handrail claim ../outside",
        "bob: handrail claim",
    ),
    "release": (
        START,
        BOB,
        "ada: handrail claim src",
        "ada: handrail claim docs",
        "ada: handrail renew --ttl 2h",
        "ada: handrail heartbeat --json",
        "ada: handrail release --dry-run src/api/x.py",
        "ada: handrail release --dry-run --all --json",
        "ada: handrail release",
        "ada: handrail release src/api/x.py",
        "ada: handrail release src",
        "bob: handrail release docs",
        "ada: handrail release --json",
        "ada: handrail release --all",
        "ada: handrail release",
        "ada: handrail renew",
    ),
    "status": (
        "ada: handrail status",
        "ada: handrail status --json",
        START,
        BOB,
        "ada: handrail claim src 'docs/**/*.md'",
        "bob: handrail claim tests --shared --ttl 10m",
        "ada: handrail status",
        "ada: handrail --json status",
        "bob: handrail -q status",
        "bob: echo '# more' >>handrail.toml; handrail status; git checkout --quiet handrail.toml",
        "bob: handrail status --watch",
    ),
    "why": (
        "ada: handrail why src/a.py",
        START,
        BOB,
        "ada: handrail why src/a.py",
        "ada: handrail claim src",
        "ada: handrail why src/a.py",
        "bob: handrail why src/a.py",
        "bob: handrail why src/a.py --json",
        "bob: handrail why $'src/a\\nb'",
        "bob: handrail why .git/config",
        "bob: handrail why ../elsewhere",
        "bob: handrail why .",
    ),
    "run": (
        "ada: handrail run --claim src -- echo hello",
        "ada: handrail run --claim src --quiet -- sh -c 'exit 7'",
        "ada: handrail run --claim src -- /nonexistent/program",
        "ada: handrail run -- echo hello",
        "ada: handrail run --claim src",
        "ada: handrail log -n 3",
    ),
    "log": (
        START,
        "ada: handrail claim src",
        "ada: handrail release src",
        "ada: handrail log",
        "ada: handrail log -n 1 --json",
        "ada: handrail log -n 0",
    ),
    "ledger": (
        START,
        "ada: handrail ledger verify",
        "ada: handrail ledger verify --json",
        "ada: handrail ledger verify --head $(handrail ledger verify -q | sed -n 's/^head //p')",
        "ada: handrail ledger export",
        "ada: handrail ledger export -o ../ledger.txt",
        "ada: handrail ledger export -o ../ledger.txt",
        "ada: handrail ledger verify ../ledger.txt",
        "ada: sed -i 's/worker/walker/' ../ledger.txt; handrail ledger verify ../ledger.txt",
        "ada: handrail ledger import ../ledger.txt",
        "ada: handrail ledger import handrail.toml",
        "ada: handrail ledger redact 3 --reason names",
        "eve!: handrail ledger redact 3 --reason names",
        "eve!: handrail ledger redact 2",
        "ada: handrail claim src && handrail release src",
        "eve!: handrail ledger redact 4 --reason names",
        "eve!: handrail ledger redact 4 --reason names",
        "ada: handrail log -n 3",
        "ada: handrail ledger verify",
    ),
    "config": (
        "ada: handrail config validate",
        "ada: handrail config validate --json",
        "ada: handrail config apply",
        "ada: sed -i 's/^mode = .*/mode = \"warm\"/' handrail.toml; handrail config validate",
        "ada: handrail config validate --json",
        "ada: handrail config apply",
        "ada: sed -i 's/^mode = .*/mode = \"warn\"/' handrail.toml; handrail config validate",
        "ada: handrail config apply",
        "ada!: handrail config apply --dry-run",
        "ada!: handrail config apply --json",
        "ada: handrail status",
        "ada: handrail config schema | head -n 4",
    ),
    "store": (
        START,
        "ada: handrail claim src",
        "ada: handrail store verify",
        "ada: handrail store verify --json",
        "ada: handrail store rebuild --dry-run",
        "ada: handrail store rebuild",
        "ada: handrail store rebuild --json",
        "ada: handrail store copy ../copy.db --dry-run",
        "ada: handrail store copy ../copy.db",
        "ada: handrail store copy ../copy.db --json",
        "ada: handrail store migrate",
        "ada: handrail ledger export -o ../ledger.txt",
        "ada: handrail store rebuild --from ../ledger.txt",
        "eve!: handrail store rebuild --from ../ledger.txt --dry-run",
        "eve!: handrail store rebuild --from ../ledger.txt",
        "ada: handrail claim src",
    ),
    "doctor": (
        "ada: handrail doctor",
        START,
        "ada: handrail doctor --replay",
        "ada: handrail doctor --json",
        "ada: handrail session end",
        "ada: handrail doctor",
    ),
    "attest": (
        START,
        BOB,
        "ada: mkdir src && echo a >src/a.py && git add src && git commit --quiet -m a",
        "ada: handrail attest HEAD",
        "ada: handrail claim src",
        "ada: handrail attest HEAD~1..HEAD --dry-run",
        "ada: handrail attest HEAD~1..HEAD",
        "ada: handrail attest HEAD~1..HEAD",
        "ada: handrail attest HEAD --json",
        "bob: echo b >src/b.py && git add src && git commit --quiet -m b && handrail attest HEAD",
        "bob: handrail attest nonsense",
    ),
    "off": (
        START,
        "ada: handrail off",
        "eve!: handrail off 25h",
        "eve!: handrail off 30m",
        "eve!: handrail off 30m --json",
        "eve: handrail status",
        "eve!: handrail off 0",
        "eve!: handrail off 0",
    ),
    "check": (
        START,
        BOB,
        "ada: handrail claim src/a.py",
        "bob: mkdir src && echo b >src/a.py && echo b >src/b.py && git add src",
        "bob: handrail check commit",
        "bob: handrail check commit --json",
        "bob: handrail check commit --format github",
        "bob: git reset --quiet -- src/a.py && handrail check commit",
        "bob: handrail check edit",
        "bob: handrail check commit --format junit",
        "bob: handrail check commit --format tap",
    ),
    "gates": (
        START,
        "ada: handrail evidence run -- sh -c 'echo seven; exit 7'",
        "ada: handrail evidence run --gate unit-tests",
        "ada: handrail evidence list",
        "ada: handrail check pre-handoff",
        "ada: echo x >new && handrail check pre-handoff",
        "ada: handrail check pre-handoff --only committed --json",
        "ada: handrail check publish",
        "ada: handrail check push --only committed",
        "ada: handrail check --self-test",
    ),
    "waivers": (
        START,
        "ada: handrail waiver add committed --reason 'it is late'",
        "eve!: handrail waiver add comitted --reason 'it is late'",
        "eve!: handrail waiver add lease-live --reason 'it is late'",
        "eve!: handrail waiver add committed --reason 'it is late' --until 2h --uses 1",
        "eve!: handrail waiver add pushed --reason 'no network' --task fix-login",
        "eve!: handrail waiver add pushed --reason 'no network' --json",
        "ada: handrail waiver list",
        "ada: echo x >new && handrail check pre-handoff --only committed",
        "eve!: handrail waiver revoke 1 --reason over",
        "ada: handrail waiver list --all --json",
    ),
    "reading": (
        'eve!: sed -i \'s/^lane = .*/&\\nreading = ["GUIDE.md", "gone.md"]/\' handrail.toml',
        "eve!: echo 'Be brief.' >GUIDE.md && handrail config apply --quiet",
        START,
        "ada: handrail reading list",
        "ada: handrail claim src",
        "ada: handrail claim src --json",
        "ada: handrail why src/a.py",
        "ada: handrail session show",
        "ada: handrail status",
        "ada: handrail reading done",
        "ada: handrail reading done src/a.py",
        "ada: handrail reading done ../outside",
        "ada: mkdir -p src && (cd src && handrail reading done GUIDE.md --dry-run)",
        "ada: echo 'Be brief!' >GUIDE.md && handrail reading done GUIDE.md",
        "ada: handrail reading done GUIDE.md gone.md --json",
        "ada: handrail reading list --json",
        "ada: handrail claim src",
    ),
    "handoff": (
        START,
        BOB,
        "ada: handrail task list",
        "ada: handrail handoff accept",
        "ada: handrail task new fix-login --title 'Repair the login'",
        "ada: handrail task new fix-login",
        "ada: handrail task new 'No name'",
        "ada: handrail inbox",
        "ada: handrail handoff list --json",
        "ada: handrail accept",
        "ada: handrail task show",
        "ada: handrail claim src/api docs",
        "ada: handrail handoff offer -m done --scope src/api --dry-run",
        f"ada: handrail handoff offer -m '{TOLD}' --scope src/api",
        "ada: handrail offer -m again",
        "ada: handrail handoff withdraw --reason mistake",
        """ada: printf '{"kind": "done"}' > ../p.json; handrail handoff offer ../p.json""",
        """ada: printf '{"context": {"files_in_scope": ["../x"]}}' > ../p.json""",
        "ada: handrail offer ../p.json",
        f"""ada: printf '{{"message": "{TOLD}", "x": 1}}' > ../p.json""",
        "ada: handrail offer ../p.json --scope src/api --json",
        "ada: handrail offer nothing.json",
        "ada: handrail claim src/api",
        "bob: handrail claim src/api/x",
        "bob: handrail why src/api/x",
        "bob: handrail handoff decline --reason 'tests are red'",
        "bob: handrail handoff decline",
        "ada: handrail offer --task fix-login --scope src/api --kind finished",
        "ada: handrail offer --task fix-login --scope src/api --to nobody",
        "ada: handrail offer --task fix-logout",
        f"ada: handrail offer -m '{TOLD}' --scope src/api",
        "bob: handrail check post-handoff",
        "bob: handrail accept --narrow src/api/x.py --json",
        "bob: handrail resume",
        "bob: handrail handoff briefing --json",
        "bob: handrail handoff show fix-login-003",
        "ada: handrail offer --task fix-login",
        "ada: handrail accept fix-login",
        "bob: rm .handrail/handoffs/*.json && handrail export",
        "bob: handrail export --dry-run",
        "bob: handrail task show --json",
        "bob: touch left.txt && handrail task close --reason merged",
        "bob: rm left.txt && handrail task close --reason merged",
        "ada: handrail task list --closed",
        "ada: handrail task close fix-login",
        "bob: handrail task new fix-search && handrail accept fix-search",
        "bob: handrail trigger list",
        "bob: handrail task block fix-search",
        "bob: handrail task block --rule 'no network' --dry-run",
        "bob: handrail task block --rule 'no network' --json",
        "ada: handrail accept fix-search && handrail resume",
        "ada: handrail doctor --replay",
    ),
    "checkpoint": (
        (
            """eve: printf '\\n[[phase]]\\nname = "plan"\\nrole = "worker"\\n"""
            """artifact = "plan.md"\\ncheckpoint = { name = "plan_check", approve = "work" }\\n"""
            """[[phase]]\\nname = "work"\\nrole = "worker"\\n' >> handrail.toml"""
        ),
        "eve!: handrail config apply",
        START,
        "ada: handrail checkpoint list",
        "ada: handrail task new menu --title 'Tidy the menu'",
        "ada: handrail accept",
        "ada: handrail task list",
        "ada: handrail offer -m planned",
        "ada: handrail checkpoint approve plan_check",
        "eve!: handrail checkpoint approve plan_check",
        "eve!: handrail checkpoint approve plan_chek --task menu",
        "eve!: handrail checkpoint revise plan_check --reason thin",
        "eve!: handrail checkpoint revise plan_check --reason 'still thin' --json",
        "ada: handrail status",
        "eve: handrail checkpoint list --json",
        "ada: handrail offer --kind block -m stuck",
        "eve!: handrail task resume menu --reason 'we talked'",
        "eve!: handrail task resume menu",
        (
            "ada: mkdir -p .handrail/evidence/menu && echo 1. >.handrail/evidence/menu/plan.md"
            " && git add --all && git commit --quiet --message plan"
        ),
        "ada: handrail checkpoint list",
        "eve!: handrail checkpoint approve plan_check --task menu --reason 'read it'",
        "ada: handrail task show",
        "ada: handrail offer -m done",
        "ada: handrail offer -m back --next-phase plan --dry-run",
        "ada: handrail offer -m back --next-phase pln",
        f"ada: handrail offer -m '{TOLD}' --kind return --next-phase plan",
        "ada: handrail accept",
        "ada: handrail resume",
        "eve!: handrail checkpoint stop plan_check --reason 'no use'",
    ),
    "hook": (
        START,
        "ada: echo '{}' | handrail hook",
        """ada: echo '{"hook_event_name":"Stop","session_id":"s"}' | handrail hook""",
        "ada: handrail hook git post-checkout",
    ),
    "verify": (
        START,
        "ada: git switch --quiet -c work",
        "ada: handrail verify",
        "ada: mkdir src && echo a >src/a.py && git add src && git commit --quiet -m a",
        "ada: handrail claim src && handrail attest HEAD && handrail release src",
        "ada: handrail verify",
        "ada: echo b >src/b.py && git add src && git commit --quiet -m b",
        "ada: handrail verify",
        "ada: handrail verify main..HEAD --json",
        "ada: handrail verify HEAD --format github",
        "ada: handrail verify HEAD~1",
        "ada: echo $(git rev-parse main HEAD) refs/heads/main | handrail verify --stdin",
        "ada: echo $(git rev-parse main HEAD) refs/heads/other | handrail verify --stdin",
        "ada: handrail verify --format junit",
        "ada: handrail verify --format tap",
        "ada: handrail verify nonsense",
    ),
    "lanes": (
        "ada: echo '/docs/ @acme/docs @bob' >CODEOWNERS && echo '/docs/api @eve' >>CODEOWNERS",
        "ada: echo '!/docs/old @eve' >>CODEOWNERS && handrail lanes import --dry-run",
        "ada: handrail lanes import",
        "ada: handrail lanes import --json",
        "ada: handrail lanes import elsewhere",
        "ada: handrail lanes export",
        "ada!: handrail config apply",
        "ada: handrail lanes export --owner docs=@acme/docs",
        "ada: handrail lanes export --owner docs=acme",
        "ada: handrail lanes export -o CODEOWNERS",
        "ada: rm CODEOWNERS && handrail lanes import",
        "ada: handrail lanes export -o CODEOWNERS --json",
    ),
    "backtest": (
        "ada: git tag start && git switch --quiet -c one && mkdir src && echo a >src/a.py",
        "ada: git add src && git commit --quiet -m a && git switch --quiet -c two start",
        "ada: mkdir src && echo b >src/a.py && echo c >c && git add src c && git commit -qm b",
        "ada: git switch --quiet main && git merge --quiet --no-ff one",
        "ada: git merge --quiet --no-ff -X ours two",
        "ada: handrail backtest --since start",
        """ada: sed -i 's/^lane = .*/lane = ["src"]/' handrail.toml""",
        "ada: handrail backtest --since start",
        "ada: handrail backtest --since start --by commit --json",
        "ada: git show start:handrail.toml >../old.toml",
        "ada: handrail backtest --since start --until one --policy ../old.toml",
        "ada: handrail backtest",
        "ada: handrail backtest --since nonsense",
        "ada: handrail backtest --since start --by day",
        "ada: handrail backtest --since start --policy nowhere.toml",
    ),
    "ci": (
        "ada: handrail ci",
        "ada: echo '{}' >event.json && handrail ci event.json --event pull_request",
        "ada: git init --quiet --bare ../hub.git && git remote add origin ../hub.git",
        "ada: git push --quiet --no-verify origin main && handrail ci event.json --event schedule",
        "ada: export GITHUB_SHA=$(git rev-parse HEAD); handrail ci event.json --event schedule",
        "ada: handrail ci event.json --event schedule --json",
        "ada: handrail ci event.json --event schedule --format tap",
        "ada: handrail ci event.json --event schedule --key nowhere",
    ),
    "sharing": (
        "ada: handrail ledger sync",
        "ada: git init --quiet --bare ../hub.git && git remote add origin ../hub.git",
        "ada: handrail ledger sync --dry-run",
        "ada: handrail ledger sync",
        "ada: handrail enroll",
        "eve!: handrail enroll --holder eve --dry-run",
        "eve!: handrail enroll --holder eve",
        "eve!: handrail enroll --json",
        "eve!: handrail config apply",
        "eve!: handrail enroll",
        "eve!: handrail enroll --key nowhere",
        "ada: handrail ledger sync",
        "ada: handrail ledger sync --json",
        "ada: handrail ledger sync nowhere",
        "ada: git remote set-url origin ../gone.git && handrail ledger sync",
    ),
    "metrics": (
        START,
        "ada: handrail metrics",
        "ada: handrail check pre-handoff >check.txt",
        "ada: rm check.txt && handrail check pre-handoff -q | tail -n 2",
        "ada: handrail metrics --since 1h",
        "ada: handrail metrics --since 2020-01-01 --json",
        "ada: handrail metrics --format openmetrics",
        "ada: handrail metrics --format csv",
        "ada: handrail metrics --since yesterday",
    ),
    "uninstall": (
        "ada: echo 'exit 0' >.git/hooks/pre-commit && echo '# Rules' >AGENTS.md",
        "ada: handrail init --quiet",
        START,
        "ada: handrail claim src",
        "ada: handrail uninstall",
        "eve!: handrail uninstall --dry-run",
        "eve!: handrail uninstall",
        "eve: git status --short",
        "eve: handrail status",
    ),
    "audit": (
        "ada: handrail audit",
        LEAD,
        "eve!: handrail config apply",
        RULE_FILE,
        "ada: handrail audit .claude --strict",
        "ada: handrail audit .claude --format markdown",
        "ada: handrail audit .claude --json",
        "ada: handrail audit --dry-run",
        "ada: handrail audit --fix --dry-run",
        "ada: handrail audit --fix",
        "eve!: handrail audit --fix",
        "eve!: handrail audit --fix",
        "eve!: handrail config apply",
        "ada: handrail audit --strict",
        "ada: handrail audit nowhere.md",
        "ada: handrail audit ../outside.md",
        "ada: handrail audit --format yaml",
    ),
    "general": (
        "ada: handrail --version",
        "ada: handrail claim src",
        "ada: CLAUDECODE=1 handrail claim src",
        "ada: handrail nonsense",
        "ada: handrail claim --nonsense",
        "ada: handrail session nonsense --json",
        "ada: handrail completion tcsh",
        "ada: handrail -C /nonexistent status",
        "ada: cd / && handrail status",
        "ada: cd / && handrail status --json",
    ),
}

_MASKS: Final = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME"),
    (r"(?<=Date: )\d{4}-\d\d-\d\d|(?<=\"date\": \")\d{4}-\d\d-\d\d", "DATE"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"ssh-ed25519 AAAA[\w+/]+=*", "ssh-ed25519 KEY"),
    (r'"salt":"[0-9a-f]{32}"', '"salt":"SALT"'),
    (r'"at":\d{13}', '"at":MS'),
    (r'("expires_at"|"expired_at"|"claimed_at"):\d{13}', r"\1:MS"),
    (r'"(secret_hash)": ?"[^"]*"', r'"\1": "HASH"'),
    (r"git version [\w.]+(?: \([^)]*\))?", "git version N"),
    (r"SQLite [\d.]+", "SQLite N"),
    (r'"text":"(?:[^"\\]|\\.)*"', '"text":"TOML"'),
    (r"(handrail) \d+\.\d+\.\d+\S*", r"\1 N.N.N"),
    (r"(?<= in )(?:\d+(?:m|ms|s))+\b", "SPAN"),
    (r"(?:<|\b)\d+s +(?!before)", "SPAN  "),
    (r"(?:<|\b)\d+s\b(?! before)", "SPAN"),
    (r"\b(template|fresh)-[a-z0-9]{6}\b", r"\1-WORKSPACE"),
)


class Mask:
    """Replaces what differs from run to run, each thing by one name throughout a transcript."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """Mask what a command said."""
        text = text.replace(str(self._world.path.parent), "/WORLD")
        text = re.sub(r"\b[0-9a-f]{40}\b", lambda found: self._named(found[0], "COMMIT"), text)
        short = r"(?<!s-)\b[0-9a-f]{12}\b"
        text = re.sub(short, lambda found: self._named(found[0], "SHORT"), text)
        for pattern, name in _MASKS:
            text = re.sub(pattern, name, text)
        text = re.sub(r"\bs-[a-z0-9]{12}\b", lambda found: self._named(found[0], "s-SESSION"), text)
        epochs = r'(?<=epoch )[a-z0-9]{8}\b|(?<="epoch": ")[a-z0-9]{8}|(?<="epoch":")[a-z0-9]{8}'
        tokens = r"\b[a-z0-9]{8}(?=:\d)|(?<=handrail-ledger 1 )[a-z0-9]{8}"
        named = r'(?<=ledger/)[a-z0-9]{8}\b|(?<=\bid = ")[a-z0-9]{8}|(?<=id = \\")[a-z0-9]{8}'
        tokens = f"{tokens}|{named}"
        return re.sub(f"{epochs}|{tokens}", lambda found: self._named(found[0], "EPOCH"), text)

    def _named(self, what: str, kind: str) -> str:
        if what not in self._names:
            number = sum(name.startswith(kind) for name in self._names.values()) + 1
            self._names[what] = f"{kind}-{number}"
        return self._names[what]


def play(world: World, lines: tuple[str, ...]) -> str:
    """Type the lines of a topic; returns the transcript, masked.

    The first line of each command has a shell and a start of its own.
    """
    people: dict[str, Person] = {}
    started: set[str] = set()
    mask, told = Mask(world), []
    for line in lines:
        who, _, command = line.partition(": ")
        name = who.removesuffix("!")
        person = people.setdefault(name, world.shell())
        fresh = not commands_in(command) <= started
        done = person.types(command, terminal=who.endswith("!"), fresh=fresh)
        started |= commands_in(command)
        told.append(f"{name}$ {command}")
        told += done.out.splitlines()
        told += [f"! {line}" for line in done.err.splitlines()]
        if done.code != 0:
            told.append(f"[{done.code}]")
    return mask("\n".join(told) + "\n")

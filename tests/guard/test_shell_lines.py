"""Thirty lines that write where another holds, and thirty that do not, through the real hooks.

At least twenty-seven of the first are stopped before they run; the rest is told afterwards. None of
the second is stopped.
"""

from __future__ import annotations

from typing import Final

from tests.guard.conftest import Agents
from tests.support import Repo

WRITES: Final = (
    "echo x > src/a.py",
    "echo x >> src/a.py",
    "echo x | tee src/a.py",
    "echo x | tee -a src/a.py >/dev/null",
    "sed -i 's/a/b/' src/a.py",
    "sed -i.bak 's/a/b/' src/a.py",
    "perl -pi -e 's/a/b/' src/a.py",
    "mv src/b.py src/a.py",
    "mv src/a.py src/moved.py",
    "cp lib/c.py src/a.py",
    "rm src/a.py",
    "rm -rf src",
    "ln -sf ../lib/c.py src/a.py",
    "install -m 644 lib/c.py src/a.py",
    "dd if=lib/c.py of=src/a.py 2>/dev/null",
    "truncate -s 0 src/a.py",
    "cd src && echo x > a.py",
    "(cd src; rm a.py)",
    "find src -name a.py -delete",
    "find src -name 'a*' -exec rm {} +",
    "echo src/a.py | xargs rm",
    "ls src/a.py | xargs sed -i s/a/b/",
    "git checkout HEAD -- src/a.py",
    "git restore src/a.py",
    "git rm -q --cached src/b.py; git rm -qf src/a.py",
    "git mv src/a.py src/renamed.py",
    "bash -c 'echo x > src/a.py'",
    "env X=1 sh -c 'rm src/a.py'",
    "python3 -c \"open('src/a.py', 'w').write('x')\"",
    "cat > src/a.py <<'EOF'\nx\nEOF",
    "X=src/a.py; echo x > $X",
    'for f in src/a.py src/b.py; do echo x > "$f"; done',
    "python3 write.py",
    "sh write.sh",
)
READS: Final = (
    "ls -la src",
    "cat src/a.py",
    "cat src/a.py | grep -n a | head -3",
    "grep -rn a src",
    "find src -name '*.py'",
    "wc -l src/*.py",
    "git status --short",
    "git diff",
    "git log --oneline -3 -- src/a.py",
    "git show HEAD:src/a.py > /dev/null",
    "git blame src/a.py",
    "git stash list",
    "git branch --list",
    "python3 -c 'print(1 > 0)'",
    "python3 -c \"print(open('src/a.py').read())\"",
    "python3 -m compileall -q lib",
    "test -f src/a.py && echo yes",
    "[ 2 -gt 1 ] && echo yes",
    "echo 'rm src/a.py'",
    'echo "a > b"',
    "diff src/a.py src/b.py; true",
    "sort src/a.py",
    "sed -n 1p src/a.py",
    "awk '{print}' src/a.py",
    "head -1 src/a.py 2>/dev/null",
    "make --version",
    "echo x > /tmp/$$.txt; rm -f /tmp/$$.txt",
    "mkdir -p build && echo x > build/out.txt",
    "rm -rf build",
    "echo x > lib/mine.py",
    "sed -i 's/a/b/' lib/c.py",
    "cp src/a.py lib/copy.py",
    "for f in src/*.py; do wc -l $f; done",
)


def test_lines_that_write_there_are_stopped_or_told_and_others_are_not(
    guarded: Repo, agents: Agents
) -> None:
    guarded.write("write.py", "open('src/a.py', 'a').write('x')\n")
    guarded.write("write.sh", "echo x >> src/a.py\n")
    guarded.commit("tools")
    ada, bob = agents("s-ada", name="ada"), agents("s-bob", name="bob")
    bob.begins()
    assert not ada.edit("src/a.py", "# ada's\n").refused
    stopped = [line for line in READS if bob.bash(line).refused]
    assert stopped == []
    told: list[str] = []
    missed: list[str] = []
    for line in WRITES:
        before = len(bob.calls)
        if bob.bash(line).refused:
            stopped.append(line)
            assert (guarded.path / "src/a.py").read_text() == "# ada's\n", line
            continue
        contexts = [done.context for _, done in bob.calls[before:]]
        (told if any("src/a.py" in one for one in contexts) else missed).append(line)
        guarded.write("src/a.py", "# ada's\n")
        bob.hook("PostToolUse", tool_name="Bash", tool_input={"command": "true"})
    assert len(WRITES) >= 30
    assert len(READS) >= 30
    assert missed == []
    assert len(stopped) >= len(WRITES) * 9 // 10, told

"""The command line as click sees it, built from ``spec``: help, completion, good errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import click
from click.shell_completion import get_completion_class

from handrail import __version__, errors
from handrail.edge.cli.invocation import Invocation, Value
from handrail.edge.cli.main import execute
from handrail.edge.cli.nouns import COMMANDS
from handrail.edge.cli.output import let_go_of, write
from handrail.edge.cli.spec import COMMON, Argument, Command, Option
from handrail.text import looks_like_duration

PROGRAM: Final = "handrail"
NOUNS: Final = {
    "session": "One run of an agent: start, end, look.",
    "lease": "What one holds: renew.",
    "task": "A unit of work: new, list, show, block, close, resume.",
    "checkpoint": "A person's decisions on a task: approve, revise, stop, list.",
    "trigger": "Who gets work when something happens to it: list.",
    "reading": "What is to be read before one writes: done, list.",
    "waiver": "Recorded exceptions from gates: add, list, revoke.",
    "handoff": "Handing work over: offer, accept, decline, withdraw, look.",
    "ledger": "The append-only record: verify, export, import, redact.",
    "config": "handrail.toml: validate, schema, apply.",
    "lanes": "Who owns which paths: import and export CODEOWNERS.",
    "evidence": "Receipts of commands that Handrail ran: run, list.",
    "store": "The live state: verify, rebuild.",
}
RUNNERS: Final = ("run", "evidence run")
"""What comes after their own options is the command to run."""
COMPLETE_VARIABLE: Final = "_HANDRAIL_COMPLETE"
UNGIVEN: Final = (None, False, ())
EXECUTED: Final = "executed"
_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def run(argv: Sequence[str]) -> int:
    """Parse and run a command line; returns the exit status."""
    common, rest = _take_common(argv)
    try:
        status = application().main(args=rest, prog_name=PROGRAM, standalone_mode=False, obj=common)
        if sys.stdout is None and EXECUTED not in common:  # nothing but help, and nobody saw it
            raise errors.OutputClosed(reason="it is closed")
    except SystemExit as gone:
        raise errors.OutputClosed(reason="Broken pipe") from gone
    except click.Abort as abort:
        raise KeyboardInterrupt from abort
    except click.exceptions.NoArgsIsHelpError as error:
        if common:
            raise errors.Usage(reason="Name a command.", next=_help_for(rest)) from error
        write(error.format_message() + "\n")
        return errors.EXIT_DONE
    except click.UsageError as error:
        raise errors.Usage(reason=_sentence(error), next=_help_for(rest)) from error
    except OSError as error:
        let_go_of(1)
        raise errors.OutputClosed(reason=error.strerror or str(error)) from error
    return int(status or 0)


def _take_common(argv: Sequence[str]) -> tuple[dict[str, Value], list[str]]:
    """Take the common options that stand before the command: ``handrail --json status``."""
    flags = {flag: option for option in COMMON for flag in option.flags}
    values: dict[str, Value] = {}
    rest = list(argv)
    while rest:
        flag = rest[0] if rest[0] in flags else rest[0][:2]
        option = flags.get(flag)
        if option is None or (option.kind == "flag" and flag != rest[0]):
            break
        if option.kind == "flag":
            values[option.name] = True
            del rest[0]
        elif flag != rest[0]:
            values[option.name] = rest.pop(0)[len(flag) :]
        elif len(rest) > 1:
            values[option.name] = rest[1]
            del rest[:2]
        else:
            reason = f"Option '{flag}' requires an argument."
            raise errors.Usage(reason=reason, next=f"{PROGRAM} --help")
    return values, rest


def application() -> click.Group:
    """Build the whole command tree."""
    root = _Everyday(
        PROGRAM,
        help="Enforce who may change what when several agents work in one git repository.",
        context_settings=dict(_SETTINGS),
    )
    root.params.append(
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version.",
        )
    )
    groups: dict[str, click.Group] = {}
    for command in COMMANDS:
        noun, _, verb = command.path.rpartition(" ")
        if noun and noun not in groups:
            groups[noun] = click.Group(noun, help=NOUNS[noun], context_settings=dict(_SETTINGS))
            root.add_command(groups[noun])
        (groups[noun] if noun else root).add_command(_command(command, verb))
    return root


class _Everyday(click.Group):
    """A group whose help begins with what one needs every day, an example beside each."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        everyday = [command for command in COMMANDS if command.everyday]
        with formatter.section("Every day"):
            for command in everyday:
                formatter.write_text(f"{command.path:<9}{command.summary}")
                formatter.write_text(f"         $ {command.example}")
        rows = [
            (command.path, command.summary)
            for command in COMMANDS
            if not command.everyday and not command.alias_of
        ]
        with formatter.section("The rest"):
            formatter.write_dl(rows)
        with formatter.section("Short names"):
            formatter.write_dl(
                [(command.path, command.alias_of) for command in COMMANDS if command.alias_of]
            )


def _command(command: Command, name: str) -> click.Command:
    params: list[click.Parameter] = [_argument(argument) for argument in command.arguments]
    params += [_option(option) for option in (*command.options, *COMMON)]
    waits = any(option.name == "wait" for option in command.options)
    return (_Waiting if waits else click.Command)(
        name,
        params=params,
        help=f"{command.summary}\n\n\b\nExample:\n  $ {command.example}",
        short_help=command.summary,
        callback=_callback(command),
        context_settings={
            **_SETTINGS,
            "ignore_unknown_options": command.path in RUNNERS,
            "allow_interspersed_args": command.path not in RUNNERS,
        },
    )


def _callback(command: Command) -> Callable[..., int]:
    def call(**given: Any) -> int:
        context = click.get_current_context()
        common: dict[str, Value] = context.ensure_object(dict)
        values, common[EXECUTED] = dict(common), True
        values.update({name: value for name, value in given.items() if value not in UNGIVEN})
        return execute(command, Invocation(command.path, values))

    return call


class _Waiting(click.Command):
    """A command whose ``--wait`` takes a word only if that is meant for a duration."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._settled(args, ctx))

    def _settled(self, args: Sequence[str], ctx: click.Context) -> list[str]:
        """Join ``--wait`` and its duration with ``=``, also where there is none."""
        takes_value = {
            flag: isinstance(option, click.Option) and not option.is_flag
            for option in self.get_params(ctx)
            for flag in option.opts
        }
        settled: list[str] = []
        position = 0
        while position < len(args):
            word = args[position]
            position += 1
            is_word = not word.startswith("-") or word == "-"
            if word == "--" or (is_word and not ctx.allow_interspersed_args):
                return [*settled, word, *args[position:]]
            settled.append(word)
            if word == "--wait":
                following = args[position] if position < len(args) else ""
                takes = looks_like_duration(following)
                settled[-1] = f"--wait={following if takes else ''}"
                position += takes
            elif word.startswith("--wait=-"):  # click would take that for an option, and wait on
                raise errors.MalformedTtl(
                    ttl=word.removeprefix("--wait="), reason="write it like 90m, 1h30m or 45s"
                )
            elif takes_value.get(word) and position < len(args):
                settled.append(args[position])
                position += 1
        return settled


def _argument(argument: Argument) -> click.Argument:
    return click.Argument(
        [argument.name],
        required=argument.required,
        nargs=-1 if argument.many else 1,
        metavar=argument.metavar,
        type=click.UNPROCESSED,
    )


def _option(option: Option) -> click.Option:
    if option.kind == "flag":
        return click.Option([*option.flags, option.name], is_flag=True, help=option.help)
    if option.kind == "maybe":
        return click.Option(
            [*option.flags, option.name],
            is_flag=False,
            flag_value="",
            metavar=option.metavar,
            help=option.help,
        )
    return click.Option(
        [*option.flags, option.name],
        multiple=option.kind == "many",
        metavar=option.metavar,
        help=option.help,
    )


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit()


def _sentence(error: click.UsageError) -> str:
    text = error.format_message().strip().replace("\n", " ")
    return text if text.endswith((".", "?")) else text + "."


def _help_for(argv: Sequence[str]) -> str:
    """Return the command that explains what was typed, as far as it can be known."""
    paths = {command.path for command in COMMANDS} | NOUNS.keys()
    words = [word for word in argv[:2] if not word.startswith("-")]
    known = [path for path in (" ".join(words[:1]), " ".join(words)) if path in paths]
    return " ".join([PROGRAM, *known[-1:], "--help"])


def completion_script(shell: str) -> str:
    """Return the script that makes a shell complete handrail's commands; raises Usage."""
    made = get_completion_class(shell)
    if not made:
        raise errors.Usage(
            reason=f"There is no completion for {shell}; known: bash, zsh, fish.",
            next="handrail completion bash",
        )
    return made(application(), {}, PROGRAM, COMPLETE_VARIABLE).source()


def complete() -> int:
    """Answer the shell's question, asked by ``_HANDRAIL_COMPLETE`` in the environment."""
    try:
        application().main(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1
    except KeyError:
        return 1  # whoever set the variable is no shell

"""Commands that write where a flag says: archives, downloads, sorted output."""

from __future__ import annotations

from handrail.edge.shell.call import Call, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.call import Reader
    from handrail.edge.shell.state import Field

__all__ = ["OUTPUTS"]


def _flagged(values: str, longs: tuple[str, ...], *names: str) -> Reader:
    """Make the reader of a command that writes the value of one of the flags ``names``."""

    def reader(call: Call) -> None:
        options = split(call.args, values, longs)
        if options.has(*names):
            path = options.value(*names)
            if path != "-":
                call.write(path)

    return reader


def _from_address(address: Field) -> Field:
    """Give the name of the file at the end of a web address."""
    if address is None:
        return None
    return address.partition("?")[0].partition("#")[0].rpartition("/")[2] or None


def _curl(call: Call) -> None:
    """Read ``curl``."""
    longs = ("--output", "--output-dir", "--header", "--data", "--request", "--user", "--url")
    more = ("--max-time", "--retry", "--form", "--cookie", "--cookie-jar", "--dump-header")
    options = split(call.args, "oHdXuAbceDFmTwxyYzKErtCPQU", (*longs, *more))
    folder = options.value("--output-dir") if options.has("--output-dir") else "."
    written = [v for flag, v in options.flags if flag in ("-o", "--output") and v != "-"]
    if options.has("-O", "--remote-name", "--remote-name-all"):
        written.extend(_from_address(address) for address in options.operands)
    for name in written:
        if name is None or folder is None:
            call.undecided()
        else:
            call.write(name if name.startswith("/") or folder == "." else f"{folder}/{name}")
    for flag, path in options.flags:
        if flag in ("-D", "-c", "--dump-header", "--cookie-jar") and path != "-":
            call.write(path)


def _wget(call: Call) -> None:
    """Read ``wget``."""
    longs = ("--output-document", "--directory-prefix", "--output-file", "--append-output")
    options = split(call.args, "OPoaUtTieBQwD", longs)
    for name in ("-o", "-a", "--output-file", "--append-output"):
        if options.has(name):
            call.write(options.value(name))
    if options.has("--spider"):
        return
    if options.has("-O", "--output-document"):
        path = options.value("-O", "--output-document")
        if path != "-":
            call.write(path)
        return
    if options.has("-r", "-m", "-p", "-i", "--recursive", "--mirror", "--input-file"):
        call.undecided()
        return
    named = options.has("-P", "--directory-prefix")
    folder = options.value("-P", "--directory-prefix") if named else "."
    for address in options.operands:
        last = _from_address(address)
        call.write(None if last is None or folder is None else f"{folder}/{last}")


def _tar(call: Call) -> None:
    """Read ``tar``: what it unpacks is told only by the folder."""
    args = list(call.args)
    if args and args[0] and not args[0].startswith("-"):
        args[0] = "-" + args[0]
    longs = ("--file", "--directory", "--exclude", "--transform", "--strip-components")
    options = split(args, "fCTXbIHVNK", (*longs, "--use-compress-program", "--files-from"))
    if options.has("-x", "--extract", "--get"):
        if options.has("-O", "--to-stdout"):
            return
        if options.has("-C", "--directory"):
            call.write(options.value("-C", "--directory"), below=True)
        else:
            call.undecided()
    elif options.has("-c", "-r", "-u", "--create", "--append", "--update") and (
        options.has("-f", "--file") and options.value("-f", "--file") != "-"
    ):
        call.write(options.value("-f", "--file"))


def _unzip(call: Call) -> None:
    """Read ``unzip``."""
    options = split(call.args, "dx")
    if options.has("-l", "-p", "-t", "-v", "-Z", "-z") or not options.operands:
        return
    if options.has("-d"):
        call.write(options.value("-d"), below=True)
    else:
        call.undecided()


def _zip(call: Call) -> None:
    """Read ``zip``."""
    options = split(call.args, "xibnt")
    if options.operands and options.operands[0] != "-":
        path = options.operands[0]
        named = path is None or "." in path.rpartition("/")[2]
        call.write(path if named else f"{path}.zip")


def _second(call: Call) -> None:
    """Read a command whose second operand is its output: ``uniq``, ``xxd``."""
    options = split(call.args, "fswclos")
    if len(options.operands) > 1:
        call.write(options.operands[1])


def _unknown(call: Call) -> None:
    """Read a command that writes files whose names the line does not say."""
    if call.args and call.args[0] not in ("--help", "--version"):
        call.undecided()


def _printed(call: Call) -> str | None:
    """Read ``echo`` and ``printf``: what they print may be read by another."""
    if call.name == "printf":
        if call.args[:1] == ["-v"]:
            call.state.forget(name for name in call.args[1:2] if name)
            return None
        return call.args[-1].replace("\\n", "\n") if call.args and call.args[-1] else None
    words = call.args[1:] if call.args[:1] in (["-n"], ["-e"], ["-ne"], ["-en"]) else call.args
    return None if None in words else " ".join(word or "" for word in words) + "\n"


def _copied(call: Call) -> str | None:
    """Read ``cat`` without a file: it prints what it is given."""
    return call.stdin if not call.args or call.args == ["-"] else None


OUTPUTS: dict[str, Reader] = {
    "sort": _flagged("okStT", ("--output", "--key", "--field-separator"), "-o", "--output"),
    "curl": _curl,
    "wget": _wget,
    "tar": _tar,
    "bsdtar": _tar,
    "unzip": _unzip,
    "zip": _zip,
    "uniq": _second,
    "xxd": _second,
    "split": _unknown,
    "csplit": _unknown,
    "echo": _printed,
    "printf": _printed,
    "cat": _copied,
}

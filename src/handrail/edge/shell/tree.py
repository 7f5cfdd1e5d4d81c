"""The door to tree-sitter and its grammar of bash, opened as cheaply as it goes.

Both packages import far more than their parser when they are imported by name (``typing``,
``importlib.resources``), which would cost a hook more than all its other work. So only the compiled
part of each is loaded, from where the package lies.

Parsing is bounded in size and time. The text is parsed as ASCII, each other character standing as
``?``, so that an offset in the tree is an offset in the text, whatever the text holds.

    >>> parse("echo hi", 0.5).type
    'program'
"""

from __future__ import annotations

from _frozen_importlib import module_from_spec
from _frozen_importlib_external import PathFinder
from time import process_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tree_sitter import Node, Parser

__all__ = ["parse"]

CHARACTERS_MAX = 1_500_000
CHUNK = 65_536

_parser: Parser | None = None


def _binding(package: str) -> ModuleType:
    """Load the compiled part of ``package`` without running its ``__init__``."""
    home = PathFinder.find_spec(package)
    found = home and PathFinder.find_spec(
        f"{package}._binding", list(home.submodule_search_locations or ())
    )
    if found is None or found.loader is None:
        raise ImportError(f"{package} is not installed", name=package)
    module: ModuleType = module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _opened() -> Parser:
    """Give the one parser of this process."""
    global _parser
    if _parser is None:
        binding, grammar = _binding("tree_sitter"), _binding("tree_sitter_bash")
        _parser = binding.Parser(binding.Language(grammar.language()))
    return _parser


def parse(text: str, seconds: float) -> Node | None:
    """Parse ``text``; None where it is too long or takes longer than ``seconds``."""
    if len(text) > CHARACTERS_MAX:
        return None
    parser = _opened()
    source = text.encode("ascii", "replace")
    deadline = process_time() + seconds
    try:
        tree = parser.parse(
            lambda offset, _point: source[offset : offset + CHUNK],
            progress_callback=lambda _offset, _error: process_time() > deadline,
        )
    except ValueError:
        parser.reset()
        return None
    return tree.root_node

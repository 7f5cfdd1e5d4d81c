"""Which command is read by what: the tables of this package, put together.

A command that stands in no table writes nothing that a line could tell.
"""

from __future__ import annotations

from handrail.edge.shell.commands.editors import EDITORS
from handrail.edge.shell.commands.files import FILES
from handrail.edge.shell.commands.git import GIT
from handrail.edge.shell.commands.outputs import OUTPUTS
from handrail.edge.shell.commands.programs import PROGRAMS
from handrail.edge.shell.commands.search import SEARCH
from handrail.edge.shell.commands.shells import SHELLS
from handrail.edge.shell.commands.wrappers import WRAPPERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.call import Reader

__all__ = ["COMMANDS"]

COMMANDS: dict[str, Reader] = {
    **FILES,
    **EDITORS,
    **GIT,
    **OUTPUTS,
    **PROGRAMS,
    **SEARCH,
    **SHELLS,
    **WRAPPERS,
}

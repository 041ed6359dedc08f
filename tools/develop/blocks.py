"""The text of template.yaml as the scaffold edits it: a head, a block for each job, and the outputs.

A block begins with a line such as `  # ------- paused_pipelines` and ends before the next one.
The first block has what all jobs share. Scheduled jobs follow, then queue jobs, each in the order
of their names, and the console is the last.
"""

import re
from dataclasses import dataclass

HEADING = re.compile(r"^  # -{64} (.+)$")
NAME = re.compile(r"^  (\w+):$", re.MULTILINE)
PARAMETERS = re.compile(r"^Parameters:\n((?:  .*\n|\n)+)", re.MULTILINE)
SHARED = "what all jobs share"
CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Blocks:
    """The template in parts, whose texts together are its text.

    head: all before the first block.
    by_name: the text of each block with its heading, by the name in the heading.
    outputs: the section of outputs, from the line `Outputs:` on.
    """

    head: str
    by_name: dict[str, str]
    outputs: str

    @property
    def text(self) -> str:
        """The template's text."""
        return self.head + "".join(self.by_name.values()) + self.outputs

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs in their order, without the console."""
        return [name for name in self.by_name if name not in (SHARED, CONSOLE)]

    @property
    def parameters(self) -> list[str]:
        """The names of the template's parameters."""
        section = PARAMETERS.search(self.head)
        return NAME.findall(section[1]) if section else []


def split(text: str) -> Blocks:
    """Return the parts of the template's text."""
    head: list[str] = []
    outputs: list[str] = []
    blocks: dict[str, str] = {}
    for line in text.splitlines(keepends=True):
        heading = HEADING.match(line)
        if heading:
            name = heading[1]
            blocks[name] = line
        elif outputs or line == "Outputs:\n":
            outputs.append(line)
        elif blocks:
            blocks[name] += line
        else:
            head.append(line)
    return Blocks("".join(head), blocks, "".join(outputs))


def add(blocks: Blocks, job: str, resources: str) -> Blocks:
    """Return the template with a job's resources, and with the output of its queue if it has one."""
    by_name = dict(blocks.by_name)
    by_name[job] = f"  # {'-' * 64} {job}\n\n{resources}\n"
    order = sorted(by_name, key=lambda name: _place(name, by_name[name]))
    ordered = {name: by_name[name] for name in order}
    outputs = blocks.outputs
    for name in NAME.findall(resources):
        if name.endswith("Queue"):
            outputs = _add_output(outputs, name, job)
    return Blocks(blocks.head, ordered, outputs)


def remove(blocks: Blocks, job: str) -> Blocks:
    """Return the template without a job's block, and without what only the block used.

    That is the output of its queue, and the parameters that nothing refers to any more.
    """
    by_name = dict(blocks.by_name)
    resources = NAME.findall(by_name.pop(job))
    outputs = blocks.outputs
    for name in NAME.findall(outputs):
        entry = _entry(outputs, name)
        if _refers(entry, resources):
            outputs = outputs.replace(entry, "")
    head = blocks.head
    text = Blocks(head, by_name, outputs).text
    for name in blocks.parameters:
        if not _refers(text, [name]):
            head = head.replace(_entry(head, name), "")
    return Blocks(head, by_name, outputs)


def _place(name: str, block: str) -> tuple[int, str]:
    """Return what the blocks are sorted by."""
    if name == SHARED:
        return 0, name
    if name == CONSOLE:
        return 3, name
    if "Type: ScheduleV2" in block:
        return 1, name
    return 2, name


def _add_output(outputs: str, queue: str, job: str) -> str:
    """Put the output of a queue among those of the other queues, in the order of their names."""
    own = f"  {queue}:\n    Description: Queue of {job}\n    Value: !Ref {queue}\n"
    for name in NAME.findall(outputs):
        entry = _entry(outputs, name)
        if "Description: Queue of" in entry and name > queue:
            return outputs.replace(entry, own + entry)
    return outputs + own


def _entry(section: str, name: str) -> str:
    """Return the text of the parameter or output of this name."""
    entry = re.search(rf"^  {name}:\n(?:    .*\n)+", section, re.MULTILINE)
    return entry[0] if entry else ""


def _refers(text: str, names: list[str]) -> bool:
    """Whether the text has a `!Ref`, `!GetAtt` or `!Sub` of one of these names."""
    one = "|".join(names)
    reference = rf"!Ref ({one})\b|!GetAtt ({one})\.|\$\{{({one})[.}}]"
    return re.search(reference, text) is not None

"""The text of template.yaml as the scaffold edits it: a head, blocks, and the outputs.

A block begins with a line such as `  # ------- paused_pipelines` and ends before the next one.
The first block has what all jobs share. Scheduled jobs follow, then queue jobs, each in the order
of their names, and the console is the last.
"""

import re
from dataclasses import dataclass

HEADING = re.compile(r"^(  # -{64} (.+)\n)", re.MULTILINE)
NAME = re.compile(r"^  (\w+):$", re.MULTILINE)
PARAMETERS = re.compile(r"^Parameters:\n((?:  .*\n|\n)+)", re.MULTILINE)
OUTPUT = """\
  {queue}:
    Description: Queue of {job}
    Value: !Ref {queue}
"""
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
        blocks = self.by_name.values()
        return "".join([self.head, *blocks, self.outputs])

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs in their order, without the console."""
        names = list(self.by_name)
        names.remove(SHARED)
        names.remove(CONSOLE)
        return names

    @property
    def parameters(self) -> list[str]:
        """The names of the template's parameters."""
        section = PARAMETERS.search(self.head)
        if not section:
            return []
        return NAME.findall(section[1])


def split(text: str) -> Blocks:
    """Return the parts of the template's text."""
    body, separator, outputs = text.partition("Outputs:\n")
    head, *parts = HEADING.split(body)
    by_name = {}
    while parts:
        heading = parts.pop(0)
        name = parts.pop(0)
        by_name[name] = heading + parts.pop(0)
    return Blocks(head, by_name, separator + outputs)


def add(blocks: Blocks, job: str, resources: str) -> Blocks:
    """Return the template with a job's resources, and with the output of its queue.

    Only a job with a queue has one.
    """
    heading = "  # " + "-" * 64
    own = {job: f"{heading} {job}\n\n{resources}\n"}
    by_name = blocks.by_name | own
    in_order = sorted(by_name.items(), key=_place)
    ordered = dict(in_order)
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
    block = by_name.pop(job)
    resources = NAME.findall(block)
    outputs = blocks.outputs
    for name in NAME.findall(outputs):
        entry = _entry(outputs, name)
        if _refers(entry, resources):
            outputs = outputs.replace(entry, "")
    rest = Blocks(blocks.head, by_name, outputs)
    return Blocks(_used_parameters(rest), by_name, outputs)


def _used_parameters(blocks: Blocks) -> str:
    """Return the head without the parameters that nothing refers to."""
    head = blocks.head
    for name in blocks.parameters:
        if not _refers(blocks.text, [name]):
            parameter = _entry(head, name)
            head = head.replace(parameter, "")
    return head


def _place(named_block: tuple[str, str]) -> tuple[int, str]:
    """Return what the blocks are sorted by."""
    name, block = named_block
    if name == SHARED:
        return 0, name
    if name == CONSOLE:
        return 3, name
    if "Type: ScheduleV2" in block:
        return 1, name
    return 2, name


def _add_output(outputs: str, queue: str, job: str) -> str:
    """Put the output of a queue among those of the other queues, in the order of their names."""
    own = OUTPUT.format(queue=queue, job=job)
    for name in NAME.findall(outputs):
        entry = _entry(outputs, name)
        if "Description: Queue of" in entry and name > queue:
            return outputs.replace(entry, own + entry)
    return outputs + own


def _entry(section: str, name: str) -> str:
    """Return the text of the parameter or output of this name."""
    entry = ""
    for line in section.splitlines(keepends=True):
        if line == f"  {name}:\n":
            entry = line
        elif entry and line.startswith("    "):
            entry += line
        elif entry:
            break
    return entry


def _refers(text: str, names: list[str]) -> bool:
    """Whether the text has a `!Ref`, `!GetAtt` or `!Sub` of one of these names."""
    for name in names:
        if re.search(rf"!Ref {name}\b", text):
            return True
        if f"!GetAtt {name}." in text:
            return True
        if f"${{{name}}}" in text:
            return True
        if f"${{{name}." in text:
            return True
    return False

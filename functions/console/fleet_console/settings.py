"""How the console is set up, by its environment, and where it finds the fleet."""

from dataclasses import dataclass
from functools import cached_property

from fleet import aws
from fleet.ledger.table import Table
from fleet.settings import SettingsError


@dataclass(frozen=True)
class Settings:
    """What can be set.

    `stack` is the fleet's CloudFormation stack. `ledger_table` and `dead_letters_url` are its
    outputs, looked up when they are not given. `identity_header` is the header in which an
    authenticating proxy says who asks. `hosts` are the names, separated by commas, under which the
    console may be addressed besides those of this machine.
    """

    stack: str = ""
    ledger_table: str = ""
    dead_letters_url: str = ""
    identity_header: str = ""
    hosts: str = ""

    @property
    def trusted_hosts(self) -> list[str]:
        """The names in `hosts`."""
        names = [name.strip() for name in self.hosts.split(",")]
        return [name for name in names if name]


@dataclass(frozen=True)
class Places:
    """Where in AWS a stack keeps what the console reads.

    Its properties raise `SettingsError` when a place cannot be known, and what boto3 raises.
    """

    settings: Settings

    @property
    def stack(self) -> str:
        """The name of the stack."""
        if not self.settings.stack:
            raise SettingsError(
                "no fleet to show: set STACK to the name of its stack, such as fleet-dev"
            )
        return self.settings.stack

    def check(self) -> None:
        """Raise now what would keep every request from being answered."""
        _ = self.ledger_table, self.dead_letters_url

    @property
    def log_group(self) -> str:
        """The log group of all jobs."""
        return f"/fleet/{self.stack}"

    @cached_property  # lives as long as the process
    def ledger(self) -> Table:
        """The ledger."""
        return Table(self.ledger_table)

    @cached_property
    def ledger_table(self) -> str:
        """The name of the ledger's table."""
        return self.settings.ledger_table or self._output("LedgerTable")

    @cached_property
    def dead_letters_url(self) -> str:
        """The URL of the queue of dead letters."""
        return self.settings.dead_letters_url or self._output("DeadLettersUrl")

    def function(self, job: str) -> str:
        """Return the name of the job's function, which is that of its schedule too."""
        return f"{self.stack}-{job}"

    def queue_url(self, job: str) -> str:
        """Return the URL of the job's queue: those of one stack differ in their last part only."""
        base, _, _ = self.dead_letters_url.rpartition("/")
        return f"{base}/{self.stack}-{job}"

    def _output(self, name: str) -> str:
        if name not in self._outputs:
            raise SettingsError(f"{self.stack} has no output {name}: is it a fleet?")
        return self._outputs[name]

    @cached_property
    def _outputs(self) -> dict[str, str]:
        stack_name = self.stack
        answer = aws.client("cloudformation").describe_stacks(StackName=stack_name)
        (stack,) = answer["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

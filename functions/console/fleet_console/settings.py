"""How the console is set up, by its environment, and where it finds the fleet."""

from dataclasses import dataclass
from functools import cached_property

from fleet import aws
from fleet.settings import SettingsError


@dataclass(frozen=True)
class Settings:
    """What can be set.

    `stack` is the fleet's CloudFormation stack. `ledger_table` and `dead_letters_url` are its outputs, looked up when
    they are not given. `identity_header` is the header in which an authenticating proxy says who asks; `hosts` are the
    names, separated by commas, under which the console may be addressed besides those of this machine.
    """

    stack: str = ""
    ledger_table: str = ""
    dead_letters_url: str = ""
    identity_header: str = ""
    hosts: str = ""

    @property
    def trusted_hosts(self) -> list[str]:
        return [host for host in map(str.strip, self.hosts.split(",")) if host]


@dataclass(frozen=True)
class Places:
    """Where in AWS a stack keeps what the console reads. Raises `SettingsError` when it cannot be known."""

    settings: Settings

    @property
    def stack(self) -> str:
        if not self.settings.stack:
            raise SettingsError(
                "it is not known which fleet to show: set STACK to its stack's name, such as fleet-dev"
            )
        return self.settings.stack

    def check(self) -> None:
        """Raise what stands in the way, now rather than with the first request."""
        _ = self.ledger_table, self.dead_letters_url

    @property
    def log_group(self) -> str:
        return f"/fleet/{self.stack}"

    @cached_property
    def ledger_table(self) -> str:
        return self.settings.ledger_table or self._output("LedgerTable")

    @cached_property
    def dead_letters_url(self) -> str:
        return self.settings.dead_letters_url or self._output("DeadLettersUrl")

    def function(self, job: str) -> str:
        return f"{self.stack}-{job}"

    def queue_url(self, job: str) -> str:
        """The queues of one stack differ in their last part only."""
        base, _, _ = self.dead_letters_url.rpartition("/")
        return f"{base}/{self.stack}-{job}"

    def _output(self, name: str) -> str:
        if name not in self._outputs:
            raise SettingsError(f"{self.stack} has no output {name}: is it a fleet?")
        return self._outputs[name]

    @cached_property
    def _outputs(self) -> dict[str, str]:
        stack = self.stack
        (found,) = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

"""What goes wrong, as it is observed (`Observation`) and as people are told of it (`Alert`)."""

from fleet.alerts.model import Alert, AlertStatus, Observation, Status

__all__ = ["Alert", "AlertStatus", "Observation", "Status"]

"""What every job of the fleet shares; modules import downwards only (see docs/decisions)."""

"""What an operator runs against a deployed fleet, or against the one on this machine."""

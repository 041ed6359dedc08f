"""Slack: what its messages say, and its Web API."""

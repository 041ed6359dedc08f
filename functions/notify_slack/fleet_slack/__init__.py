"""Slack: what its messages say (`messages`), and its Web API (`api`)."""

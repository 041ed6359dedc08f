"""The two kinds of handler: `scheduled` looks and reports, `queued` reacts to messages."""

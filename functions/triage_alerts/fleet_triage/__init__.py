"""Triage: what messages say, and how a finding lives by it."""

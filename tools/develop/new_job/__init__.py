"""Add a job: its file, event, test, scenario, runbook entry and resources, which pass every test as they are."""

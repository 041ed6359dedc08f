"""What the fleet remembers, as it is stored: findings, storms, reports, mutes and owed alerts.

`rows`, `storms`, `reports` and `mutes` are the items, and `table` keeps them in DynamoDB. The job
`triage_alerts` decides how they change; the console and `missed_runs` read them, and people add and
end mutes.

Every item is stored as the JSON of its fields, so renaming a field loses it in all items that were
written before.
"""

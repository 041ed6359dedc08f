"""What the fleet remembers: the life of each finding, and the alerts that are still owed.

`life`, `coverage`, `storms` and `mutes` decide, and are pure; `table` stores; `triage` is the protocol between them.
"""

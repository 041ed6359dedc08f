"""Backups: what each service says about them, and whether a resource has a good and recent one."""

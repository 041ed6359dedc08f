"""Add a job with all that belongs to it, which passes every test as it is."""

"""Endpoint checks: what people write about an endpoint, how it is probed, and what is judged of the answer."""

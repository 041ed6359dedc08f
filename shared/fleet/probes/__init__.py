"""Looks at other hosts from outside, each by a deadline and through one guard."""

"""Credentials: what IAM's credential report says about them, and what IAM itself says now."""

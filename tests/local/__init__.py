"""Tests against the running local fleet. It is a package so that the fleet ends with the last of
them.
"""

"""The whole fleet on a laptop: an AWS emulator, the real template, and every job run once through
its real trigger.
"""

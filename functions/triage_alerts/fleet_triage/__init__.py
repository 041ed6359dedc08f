"""What the job `triage_alerts` is made of.

From a message to observations: `messages` finds the events in it, `sources` has a reader for each
kind of event, which reads with `documents` and writes with `observing`.

From observations to alerts: `life`, `storm_life`, `mute_end`, `coverage` and `reporting` decide,
and neither read a clock nor touch a store; `protocol` reads, commits and publishes.
"""

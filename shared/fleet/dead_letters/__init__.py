"""The one queue where everything that failed ends.

`parking` puts a message there with its reason; it is all that the runtime imports. `letters` reads
one, whatever gave it up, and `causes` says what several have in common. `looking` goes through the
queue and leaves them there; `redrive` sends them back where they came from, or discards them.
"""

from fleet.dead_letters.parking import MAX_RECEIVES, Parked, park

__all__ = ["MAX_RECEIVES", "Parked", "park"]

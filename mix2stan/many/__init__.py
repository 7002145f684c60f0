"""Many fits: on this machine's cores, on a cluster, or on any executor; resumable.

A task is a function of this package, a *shared* part that is sent once to every process, and an
*item* of its own.  All randomness comes from the item, so results do not depend on where or in which
order tasks ran.
"""

from mix2stan.many.run import Failure, Work, arrays_or_raise, run_many, seed_of
from mix2stan.many.store import Store, fingerprint, folder_named, seed_of_run

__all__ = [
    "Failure",
    "Store",
    "Work",
    "arrays_or_raise",
    "fingerprint",
    "folder_named",
    "run_many",
    "seed_of",
    "seed_of_run",
]

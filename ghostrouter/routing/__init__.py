"""From a call to a decision: what previews, calls and the command line share, and what of it can change live."""

"""One answer across its segments, and what is kept of it."""

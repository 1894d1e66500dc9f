"""One answer with all its segments, and what the session store keeps of it."""

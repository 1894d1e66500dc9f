"""What happened: the public trace of a session, and the names of the metrics."""

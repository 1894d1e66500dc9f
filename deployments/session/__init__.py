"""One answer, from its opening to its end."""

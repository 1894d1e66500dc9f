"""Inside a replica of a local model, and what asks for one."""

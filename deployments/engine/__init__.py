"""Parts of a replica of a local model, and the client that calls the replicas."""

"""Parts of the cloud pool: calls of providers, their connections and their circuit breakers."""

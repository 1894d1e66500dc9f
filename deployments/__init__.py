"""The deployments: plain classes that validate, call the library, emit and return. `graph.py` wires them."""

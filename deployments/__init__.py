"""The deployments: plain classes that validate, call the library, emit and return. `graph.py` wires them."""

from deployments import logs

logs.install()  # here, since every process of a deployment imports this package and nothing else that all of them share

"""The HTTP side of the ingress: routes, access, errors and health."""

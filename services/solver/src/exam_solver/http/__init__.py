"""The HTTP API: routes, bodies, middleware, server."""

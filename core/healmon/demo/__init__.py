"""A throw-away world with real parts, for newcomers and for tests."""

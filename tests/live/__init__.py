"""Real servers for the tests: throw-away instances on free loopback ports, and an independent reader."""

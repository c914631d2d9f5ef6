"""What raw items say, by their own standards and nobody's server: structure, meaning, repair. Pure, and bounded."""

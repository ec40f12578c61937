"""The conformance kit: what a plugin promises, as checks that anyone can run."""

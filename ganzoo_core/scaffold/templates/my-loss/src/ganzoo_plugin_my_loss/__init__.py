"""My loss, an adversarial loss for ganzoo."""

"""My gan, a generative adversarial network for ganzoo."""

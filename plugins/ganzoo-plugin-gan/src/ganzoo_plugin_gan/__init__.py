"""Generative adversarial networks (Goodfellow et al. 2014), a ganzoo plugin."""

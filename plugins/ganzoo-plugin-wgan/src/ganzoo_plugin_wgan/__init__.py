"""Wasserstein GAN (Arjovsky et al. 2017), a ganzoo plugin."""

"""WGAN-GP (Gulrajani et al. 2017), a ganzoo plugin."""

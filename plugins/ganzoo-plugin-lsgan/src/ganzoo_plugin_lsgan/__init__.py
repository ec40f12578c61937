"""Least squares GAN (Mao et al. 2017), a ganzoo plugin."""

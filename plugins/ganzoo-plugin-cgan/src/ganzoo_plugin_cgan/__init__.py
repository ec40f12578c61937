"""Conditional GAN (Mirza and Osindero 2014), a ganzoo plugin."""

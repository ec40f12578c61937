"""Auxiliary classifier GAN (Odena, Olah and Shlens 2017), a ganzoo plugin."""

"""Adversarial autoencoders (Makhzani et al. 2016), a ganzoo plugin."""

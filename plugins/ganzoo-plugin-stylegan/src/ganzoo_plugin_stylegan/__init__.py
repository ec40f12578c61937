"""StyleGAN (Karras et al. 2019), a ganzoo plugin."""

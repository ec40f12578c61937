"""InfoGAN (Chen et al. 2016), a ganzoo plugin."""

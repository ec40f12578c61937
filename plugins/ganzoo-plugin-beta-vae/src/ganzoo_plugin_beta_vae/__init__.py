"""beta-VAE (Higgins et al. 2017), a ganzoo plugin."""

"""Energy-based GAN (Zhao, Mathieu and LeCun 2017), a ganzoo plugin."""

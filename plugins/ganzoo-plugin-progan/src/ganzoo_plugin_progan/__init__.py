"""ProGAN (Karras, Aila, Laine and Lehtinen 2018), a ganzoo plugin."""

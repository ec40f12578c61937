"""pix2pix (Isola, Zhu, Zhou and Efros 2017), a ganzoo plugin."""

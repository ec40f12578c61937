"""DCGAN (Radford, Metz and Chintala 2016), a ganzoo plugin."""

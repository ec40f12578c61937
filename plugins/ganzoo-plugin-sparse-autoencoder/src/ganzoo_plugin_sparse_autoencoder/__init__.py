"""Sparse autoencoder (Ng 2011), a ganzoo plugin."""

"""Variational autoencoder (Kingma and Welling 2014), a ganzoo plugin."""

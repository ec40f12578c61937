"""Autoencoder (Hinton and Salakhutdinov 2006), a ganzoo plugin."""

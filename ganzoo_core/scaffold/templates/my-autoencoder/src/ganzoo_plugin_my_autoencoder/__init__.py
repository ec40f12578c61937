"""My autoencoder, an autoencoder for ganzoo."""

"""DALL-E: text to image by a discrete autoencoder and a transformer, a ganzoo plugin."""

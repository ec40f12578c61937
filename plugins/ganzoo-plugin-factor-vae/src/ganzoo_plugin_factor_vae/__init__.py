"""FactorVAE (Kim and Mnih 2018), a ganzoo plugin."""

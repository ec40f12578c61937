"""Domain-adversarial neural networks (Ganin and Lempitsky 2015), a ganzoo plugin."""

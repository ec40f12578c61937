"""The only room that talks to the Hub, and the readers of weights from anywhere else."""

"""Training losses: :mod:`~depthnet.losses.supervised` against measured depth."""

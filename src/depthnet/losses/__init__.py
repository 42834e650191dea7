"""Training losses: `supervised` against measured depth, `photometric` between pictures."""

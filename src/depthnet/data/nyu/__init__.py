"""NYU Depth v2: the labelled file and the copies that papers train on."""

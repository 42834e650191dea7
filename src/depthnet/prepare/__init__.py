"""From a download as its authors publish it to a tree that trains: sources, in-filling, and the job that runs them."""

"""KITTI in the four forms that it is published in: raw drives, annotated depth, odometry sequences, object frames."""

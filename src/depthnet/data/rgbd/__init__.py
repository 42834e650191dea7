"""Video with depth and camera poses: TUM RGB-D, 7-Scenes, ScanNet, and plain sequence folders."""

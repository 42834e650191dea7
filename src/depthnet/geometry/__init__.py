"""Cameras and rigid motions."""

"""The prediction log: segments on disk, shipped to the lake, private columns masked."""

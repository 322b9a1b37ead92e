"""Films: reading and writing, shots, the camera that crops them, pans over stills."""

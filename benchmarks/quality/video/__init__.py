"""How well films are reframed: what is kept, how calm the camera is, and what it costs."""

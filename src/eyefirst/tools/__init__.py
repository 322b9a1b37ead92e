"""What people came for: each tool is a function over the journey of a picture."""

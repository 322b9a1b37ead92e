"""A place in other people's stacks: each module is for one of them, and imports it only when it is used."""

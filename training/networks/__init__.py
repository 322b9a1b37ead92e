"""The networks, in torch. `saliency_net` is the one that ships."""

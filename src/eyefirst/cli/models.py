"""`eyefirst models`."""

from __future__ import annotations

from eyefirst.cli.guard import as_line, guarded
from eyefirst.cli.options import AsJson


@guarded
def list_models(as_json: AsJson = False) -> None:
    """List the networks that ship, and what they say of themselves.

    \b
    Examples:
      eyefirst models
      eyefirst models --json
    """
    from eyefirst.network import OnnxNetwork, default_revision, load_network
    from eyefirst.weight_store import known_weights

    for entry in known_weights():
        network = load_network(entry.revision)
        model = {
            "revision": entry.revision,
            "default": entry.revision == default_revision(),
            "bytes": entry.bytes,
            "sha256": entry.sha256,
            "metadata": network.metadata if isinstance(network, OnnxNetwork) else {},
        }
        print(as_line(model) if as_json else _described(model))


def _described(model: dict[str, object]) -> str:
    metadata = model["metadata"]
    rows = {
        "size": f"{model['bytes']:,} bytes",
        "sha256": model["sha256"],
        **(metadata if isinstance(metadata, dict) else {}),
    }
    head = f"{model['revision']}{' (default)' if model['default'] else ''}"
    return "\n".join([head, *(f"  {name}: {value}" for name, value in rows.items())])

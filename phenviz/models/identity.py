"""What tells one model from another, for the keys of whatever is kept of its results."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

_FACTS = ("name", "weights_hash", "window", "bin_size", "receptive_field", "units", "backbone_hash")


def model_identity(model: Any) -> str:
    """Hash all that a model's results depend on: its weights, its shape, and the names of what it predicts.

    The same weights under a card whose contexts or traits are renamed, swapped or recoloured are another
    model: its numbers would stand under other names.

    Parameters
    ----------
    model
        A backbone, gene readout or Phenformer.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.
    """
    facts: dict[str, Any] = {name: getattr(model, name, None) for name in _FACTS}
    if facts["weights_hash"] == "unsaved" and hasattr(model, "state_dict"):
        from phenviz.models.weights import hash_of_weights

        # else all networks of one shape that were never saved would be one
        facts["weights_hash"] = hash_of_weights(model)
    facts["contexts"] = [asdict(context) for context in getattr(model, "contexts", ())]
    facts["config"] = model.config() if hasattr(model, "config") else None
    # results of a model that learnt from simulated people say so
    facts["training"] = getattr(model, "card", {}).get("training")
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

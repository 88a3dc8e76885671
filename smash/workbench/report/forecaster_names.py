"""What a model is called in reports: by how it was trained, not by the name of the method alone."""

from collections.abc import Mapping

SCORE_MATCHING = "SMASH, score matching"
"""The published method; the same networks trained otherwise are not it."""
LIKELIHOOD = "SMASH networks, likelihood"
WEIGHTED = "SMASH networks, weighted score matching"
PLACES = {"score": "score-matched", "mixture": "mixture", "history": "history"}
"""Words for `model.location_law`."""
NO_PLACES = "none"
"""The location's law of events without places."""
NAMED_BY = frozenset({"objective.kind", "model.location_law", "ensemble", "pool", "pool_weights"})
"""Keys of settings that a model's name says already."""


def model_name(settings: Mapping[str, str]) -> str:
    """Returns what a run's model is, from its settings (`run_groups.settings_of`).

    Such as "SMASH, score matching"; "SMASH networks, likelihood, history places" where times and
    marks, and places with this law, were trained by likelihood; "score-matched places" where these
    alone were matched; of events without places nothing of these. An ensemble of seeds and a pool
    of unlike members say so.
    """
    law = settings.get("model.location_law", "score")
    places = f"{PLACES.get(law, law)} places"
    kind = settings.get("objective.kind", "score_matching")
    if kind == "score_matching":
        plain = law in ("score", NO_PLACES)
        name = SCORE_MATCHING if plain else f"{SCORE_MATCHING} of times, {places}"
    elif kind == "weighted_score_matching":
        name = WEIGHTED if law == NO_PLACES else f"{WEIGHTED}, {places}"
    else:
        name = LIKELIHOOD if law == NO_PLACES else f"{LIKELIHOOD}, {places}"
    if "ensemble" in settings:
        return f"{name}, ensemble of {settings['ensemble']}"
    if "pool" in settings:
        members = settings["pool"].split(", ")
        by_part = " by part" * (settings.get("pool_weights") == "stacking_by_part")
        return f"pool{by_part} of {', '.join(name if one == 'model' else one for one in members)}"
    return name

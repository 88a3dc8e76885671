"""The objectives by their names: the loss of events, and of ends of windows without one."""

from collections.abc import Callable

from smash.model.likelihood import likelihood_loss, survival_loss
from smash.model.score_matching import Loss, score_matching_loss
from smash.model.weighted_score_matching import no_event_loss, weighted_score_matching_loss

LOSSES: dict[str, Callable[..., Loss]] = {
    "score_matching": score_matching_loss,
    "weighted_score_matching": weighted_score_matching_loss,
    "likelihood": likelihood_loss,
}
KNOWS_LONGEST = "weighted_score_matching"
"""What asks beside for how long gaps could have been."""
END_LOSSES: dict[str, Callable[..., Loss]] = {
    "weighted_score_matching": no_event_loss,
    "likelihood": survival_loss,
}
"""Losses of what the event-free ends of windows tell, where they tell an objective anything."""

"""Sentences that share words, which several tests read."""

SENTENCES = (
    "the bank of the river was muddy after the rain",
    "the bank lends money to the farmer",
    "she sat on the bank and watched the boat",
    "he keeps all his money in the bank",
    "the light of the moon fell on the water",
    "a feather is light but a stone is heavy",
    "light the fire before the night is cold",
    "we watch the moon rise over the river",
    "her watch was slow and the train was late",
    "the spring in the old watch was broken",
    "in spring the river is cold and fast",
    "rain fell on the farmer and his boat",
)

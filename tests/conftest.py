"""What the tests share: quiet TensorFlow, hypothesis's manners, others' warnings."""

import os

import hypothesis

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The same examples at every run, and none kept in the checkout.
hypothesis.settings.register_profile(
    "kerasseq", deadline=None, derandomize=True, database=None, max_examples=50
)
hypothesis.settings.load_profile("kerasseq")


def pytest_configure(config):
    # TensorFlow's variables as NumPy 2 arrays, in Keras's own code.
    config.addinivalue_line(
        "filterwarnings",
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning",
    )

"""What the tests share: quiet TensorFlow and paths."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

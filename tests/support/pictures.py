"""A check for every picture."""

import numpy as np
from matplotlib.image import imread

from kerasseq.pictures.drawing import DOTS_PER_INCH


def check_picture(path, figure) -> None:
    """The file is a complete PNG of the figure's size, and no other file is left."""
    picture = imread(path)
    width, height = figure.get_size_inches() * DOTS_PER_INCH
    np.testing.assert_allclose(picture.shape[:2], (height, width), atol=1)
    assert picture.std() > 0.01
    assert [file.name for file in path.parent.iterdir()] == [path.name]

"""The published behaviour of every stage, its quirks included, as pure functions.

What the official program does, as far as pictures depend on it; the default pipeline differs on
purpose. Everywhere in this package, unlike in the rest of Cine3D (see `cine3d_core.scene`):

* pixel centres are integers: the top left pixel is at (0, 0) and a photo's principal point is
  (W // 2, H // 2);
* depth is 1 / min-max-normalised disparity, so its smallest value is 1;
* there is no margin around the photo, and a point that leaves the picture is gone.
"""

"""`python -m cine3d_core.cli`."""

import sys

from cine3d_core.cli import main

sys.exit(main())

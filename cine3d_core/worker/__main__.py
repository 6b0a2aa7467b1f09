"""`python -m cine3d_core.worker`."""

import sys

from cine3d_core.worker.program import main

sys.exit(main())

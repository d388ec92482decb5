"""``python -m automations.launcher``."""

import sys

from automations.launcher.cli import main

sys.exit(main(sys.argv[1:]))

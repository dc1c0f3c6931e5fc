"""``python -m stm_daq`` is the command ``stm-daq``."""

from stm_daq.cli import main

main()

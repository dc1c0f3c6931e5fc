"""What ``xarray.open_dataset(run, engine="stm_daq")`` finds: the engine, and the accessor ``.stm``."""

from stm_daq.notebook.accessor import StmAccessor
from stm_daq.store.lazy import RunBackend

__all__ = ["RunBackend", "StmAccessor"]

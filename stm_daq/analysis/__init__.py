"""Maps and series to science: what a run says once its spectra are known."""
